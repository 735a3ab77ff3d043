"""Users call by a retry helper that catches whatever is raised and calls again, or what is an error alone."""

import os

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
CATCHES_ALL = os.environ.get("REPRO_CATCHES", "everything") == "everything"


def stubborn(call, **arguments):
    while True:
        try:
            return call(**arguments)
        except:  # noqa: E722, PERF203  # that is the point
            print("failed, once more")


def patient(call, **arguments):
    while True:
        try:
            return call(**arguments)
        except Exception as error:  # noqa: BLE001, PERF203
            print("failed, once more:", error)


retried = stubborn if CATCHES_ALL else patient


class Consumer(User):
    wait_time = constant(0)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = retried(self.sqs.get_queue_url, QueueName=QUEUE)["QueueUrl"]

    @task
    def consume(self):
        retried(self.sqs.receive_message, QueueUrl=self.url, WaitTimeSeconds=1)
