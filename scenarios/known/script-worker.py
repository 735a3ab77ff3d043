"""A task waits for another one that is queued behind it in a pool of one thread."""

import os
from concurrent.futures import ThreadPoolExecutor

import boto3

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]


pool = ThreadPoolExecutor(1)


def outer():
    return pool.submit(CLIENT.send_message, QueueUrl=URL, MessageBody="inner").result()


CLIENT.send_message(QueueUrl=URL, MessageBody="before")
pool.submit(outer).result()
