"""Each user ends the test when it has done its share: several call `runner.quit()`, which then stops its own caller."""

import os

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import gevent

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
BY = os.environ.get("REPRO_QUITS", "users")


class Sender(User):
    wait_time = constant(0.1)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        self.rounds = 0

    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
        self.rounds += 1
        if self.rounds == 20:
            quits = self.environment.runner.quit
            if BY == "users":
                quits()
            else:
                gevent.spawn(quits)
