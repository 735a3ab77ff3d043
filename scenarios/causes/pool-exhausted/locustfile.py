"""Users ask by a session whose pool waits for a free connection, and do not read all of what they asked for.

An answer that is not read keeps its connection out of the pool, and when it is forgotten the connection is gone for good.
"""

import os

from locust import User, constant, task  # isort: skip  # before requests: it patches the standard library
import requests
from requests.adapters import HTTPAdapter

SERVER = os.environ.get("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:5000")
IS_READ = os.environ.get("REPRO_ANSWERS") == "read"
CONNECTIONS = 3

session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))


class Asker(User):
    wait_time = constant(0.1)

    @task
    def ask(self):
        answer = session.get(SERVER, stream=True, timeout=5)
        if answer.status_code >= 500 or IS_READ:
            answer.close()
