"""Users that pause for three seconds between two calls; what lies between drops connections idle for two."""

import os

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import requests
from botocore.config import Config

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
GIVES_UP_AFTER_S = float(os.environ.get("REPRO_GIVES_UP_AFTER") or 0)


class Sender(User):
    wait_time = constant(3)

    def on_start(self):
        if os.environ.get("REPRO_CALLS") == "botocore":
            sqs = boto3.client("sqs", config=Config(read_timeout=GIVES_UP_AFTER_S or 60))
            url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
            self.call = lambda: sqs.send_message(QueueUrl=url, MessageBody="x")
        else:
            session = requests.Session()
            self.call = lambda: session.get(ENDPOINT, timeout=GIVES_UP_AFTER_S or None)

    @task
    def send(self):
        self.call()
