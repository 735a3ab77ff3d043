"""Users send messages; each makes a connection pool, whose queue urllib3 1.26 fills in by its own `_init`."""

import os

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3

QUEUE = os.environ.get("REPRO_QUEUE", "orders")


class Sender(User):
    wait_time = constant(0.1)

    @task
    def send(self):
        sqs = boto3.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody="x")
