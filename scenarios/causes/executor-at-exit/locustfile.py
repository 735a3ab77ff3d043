"""A program sends by an executor that it never shuts down, and ends (launch mode ``script``)."""

from gevent import monkey  # isort: skip

monkey.patch_all()

import os  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

import boto3  # noqa: E402

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
SQS = boto3.client("sqs")
URL = SQS.get_queue_url(QueueName=QUEUE)["QueueUrl"]
workers = ThreadPoolExecutor(max_workers=4)


def send(number):
    SQS.send_message(QueueUrl=URL, MessageBody=str(number))


list(workers.map(send, range(40)))
print("all is sent")
