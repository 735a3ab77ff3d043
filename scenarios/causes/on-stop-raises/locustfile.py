"""Users whose task set fails to clean up: ``on_stop`` raises an exception of its own."""

import os

from locust import TaskSet, User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3

QUEUE = os.environ.get("REPRO_QUEUE", "orders")


class Work(TaskSet):
    @task
    def send(self):
        self.user.sqs.send_message(QueueUrl=self.user.url, MessageBody="x")

    def on_stop(self):
        raise ValueError("cannot clean up")


class Sender(User):
    wait_time = constant(0.1)
    tasks = [Work]  # noqa: RUF012  # as Locust has it

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
