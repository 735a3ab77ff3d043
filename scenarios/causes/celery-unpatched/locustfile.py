"""A program starts a Celery worker with the gevent pool by itself (launch mode ``script``); each task sends a message.

The ``celery`` command patches before it imports anything. ``app.worker_main`` does not.
"""

import os

if os.environ.get("REPRO_PATCHED") == "yes":
    from gevent import monkey

    monkey.patch_all()

import time

import boto3
from celery import Celery

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
SECONDS = float(os.environ.get("REPRO_SECONDS") or 12)
SQS = boto3.client("sqs")
URL = SQS.get_queue_url(QueueName=QUEUE)["QueueUrl"]
app = Celery("load", broker="memory://")


@app.task(ignore_result=True)
def send(number):
    SQS.send_message(QueueUrl=URL, MessageBody=str(number))
    time.sleep(0.1)
    if time.time() < ENDS:
        send.delay(number + 1)


ENDS = time.time() + SECONDS
SQS.send_message(QueueUrl=URL, MessageBody="begins")
for number in range(5):
    send.delay(number)
app.worker_main(
    ["worker", "--pool=gevent", "--concurrency=5", "--without-gossip", "--without-mingle", "--without-heartbeat"]
)
