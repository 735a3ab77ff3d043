"""A client of the locustfile's own, which fires Locust's event."""

import os

import socket  # isort: skip
import time  # isort: skip
from urllib.parse import urlsplit  # isort: skip

from locust import User, constant, events, task  # isort: skip

SERVER = urlsplit(os.environ.get("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:5000"))


class Own(User):
    wait_time = constant(0.1)

    @task
    def work(self):
        began = time.perf_counter()
        with socket.create_connection((SERVER.hostname, SERVER.port)) as connection:
            connection.sendall(b"GET /?Action=ListQueues HTTP/1.0\r\nHost: localhost\r\n\r\n")
            size = len(connection.recv(65536))
        taken_ms = (time.perf_counter() - began) * 1000
        events.request.fire(
            request_type="own", name="list", response_time=taken_ms, response_length=size, exception=None, context={}
        )
