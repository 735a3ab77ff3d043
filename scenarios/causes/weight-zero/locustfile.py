"""Two kinds of users, one of which is switched off before the test by a weight of 0, as --config-users does."""

import os

from locust import User, constant, events, task  # isort: skip  # before boto3: it patches the standard library
import boto3

QUEUE = os.environ.get("REPRO_QUEUE", "orders")


class Base(User):
    abstract = True
    wait_time = constant(0.1)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]


class Writer(Base):
    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")


class Reader(Base):
    @task
    def receive(self):
        self.sqs.receive_message(QueueUrl=self.url)


@events.init.add_listener
def only_writers(**_):
    Reader.weight = 0
