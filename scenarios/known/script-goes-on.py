"""Sends for ever."""

import os
import time

import boto3

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]


while True:
    CLIENT.send_message(QueueUrl=URL, MessageBody="x")
    time.sleep(0.2)
