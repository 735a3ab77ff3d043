"""Has done its work, and waits for somebody to end it."""

import os
import signal
import threading

import boto3

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]


over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
for number in range(6):
    CLIENT.send_message(QueueUrl=URL, MessageBody=str(number))
over.wait()
