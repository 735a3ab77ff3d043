"""A native thread logs beside the users, as the worker of a tracer or a profiler does; the handler writes slowly.

Handlers' locks are gevent's semaphores after patching. The thread has no hub: it comes from the original ``_thread``.
"""

import logging
import os

from locust import User, constant, events, task  # isort: skip  # before boto3: it patches the standard library
import boto3
from gevent import monkey

HANDLERS = os.environ.get("REPRO_HANDLERS", "shared")
QUEUE = os.environ.get("REPRO_QUEUE", "orders")
native_start = monkey.get_original("_thread", "start_new_thread")
native_sleep = monkey.get_original("time", "sleep")
log = logging.getLogger("load")


class Slow(logging.Handler):
    def emit(self, record):
        record.getMessage()
        native_sleep(0.002)


tracer = log if HANDLERS == "shared" else logging.getLogger("tracer")
for logger in {log, tracer}:
    logger.addHandler(Slow())
    logger.propagate = False
    logger.setLevel(logging.INFO)
ended = []


@events.test_start.add_listener
def start(**_):
    native_start(trace, ())


@events.test_stopping.add_listener
def end(**_):
    ended.append(True)
    native_sleep(0.1)


def trace():
    while not ended:
        tracer.info("sent")
        native_sleep(0.001)


class Sender(User):
    wait_time = constant(0.05)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
        log.info("a user has sent")
