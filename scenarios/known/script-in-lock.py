"""Takes a native lock twice: the program stands, and has not ended."""

import _thread
import os

import boto3

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]


lock = _thread.allocate_lock()
for number in range(6):
    CLIENT.send_message(QueueUrl=URL, MessageBody=str(number))
lock.acquire()
lock.acquire()
