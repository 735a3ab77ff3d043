"""The usual advice put together as a reader would: one resource a user, made in on_start, a queue of a fixed name."""

import locust  # before boto3
from locust import User, task, constant
import boto3


class SQSUser(User):
    wait_time = constant(0.1)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sqs = None
        self.queue = None

    def on_start(self):
        self.sqs = boto3.resource("sqs")
        self.queue = self.sqs.get_queue_by_name(QueueName="my-queue")

    @task
    def consume(self):
        messages = self.queue.receive_messages(MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in messages:
            message.delete()
