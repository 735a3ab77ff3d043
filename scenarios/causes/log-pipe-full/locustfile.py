"""Users log to the pipe of a program that ships logs, and that has stopped reading: a write waits in C for all of them."""

import logging
import os
import subprocess
import sys

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
LINE = "x" * 2000
SHIPPER = """
import sys, time
for number, line in enumerate(sys.stdin):
    if number == 20 and sys.argv[1] == "stalls":
        time.sleep(60)
"""

read_end, write_end = os.pipe()
shipper = subprocess.Popen([sys.executable, "-c", SHIPPER, os.environ.get("REPRO_SHIPPER", "stalls")], stdin=read_end)
os.close(read_end)
LOG = logging.getLogger("load")
LOG.setLevel(logging.INFO)
LOG.propagate = False
LOG.addHandler(logging.StreamHandler(os.fdopen(write_end, "w")))


class Sender(User):
    wait_time = constant(0.05)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
        LOG.info("sent %s", LINE)
