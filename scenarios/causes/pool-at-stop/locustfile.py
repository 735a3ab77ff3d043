"""More users than connections share a session whose pool waits for a free one: some wait for one when they are stopped."""

import os

from locust import User, constant, task  # isort: skip  # before requests: it patches the standard library
import requests
from requests.adapters import HTTPAdapter

SERVER = os.environ.get("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:5000")
CONNECTIONS = int(os.environ.get("REPRO_CONNECTIONS") or 3)

session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))


class Asker(User):
    wait_time = constant(0)

    @task
    def ask(self):
        session.get(f"{SERVER}/moto-api/", timeout=5)
