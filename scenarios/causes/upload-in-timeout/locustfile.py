"""One user of several uploads a stream that has stopped, and gives the upload three seconds.

The upload's own thread waits for the stream. `gevent.Timeout` interrupts the wait for that thread, and boto3 then waits
for it again, without a limit.
"""

import os

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import gevent
from boto3.s3.transfer import TransferConfig
from gevent.queue import Queue

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
USES_THREADS = os.environ.get("REPRO_UPLOADS", "in-threads") == "in-threads"


class StoppedStream:
    def __init__(self):
        self.parts = Queue()

    def read(self, _size=-1):
        return self.parts.get()


class Sender(User):
    wait_time = constant(0.1)
    rounds = 0

    def on_start(self):
        self.sqs, self.s3 = boto3.client("sqs"), boto3.client("s3")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
        Sender.rounds += 1
        if Sender.rounds == 20:
            try:
                with gevent.Timeout(3):
                    config = TransferConfig(use_threads=USES_THREADS)
                    self.s3.upload_fileobj(StoppedStream(), "load", "report", Config=config)
            except gevent.Timeout:
                print("the upload was given up")
