"""Users take their data from a queue of multiprocessing, whose feeder falls behind: `get` waits in C for all of them."""

import multiprocessing
import os
import queue

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import gevent

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
HOW = os.environ.get("REPRO_TAKES", "by-waiting")
DATA = multiprocessing.Queue()
for number in range(20):
    DATA.put(number)


def take():
    if HOW == "by-waiting":
        return DATA.get()
    while True:
        try:
            return DATA.get_nowait()
        except queue.Empty:  # noqa: PERF203
            gevent.sleep(0.1)


class Sender(User):
    wait_time = constant(0.1)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody=str(take()))
