"""Sends in bursts, with long pauses."""

import os
import time

import boto3

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]


for _ in range(3):
    for number in range(5):
        CLIENT.send_message(QueueUrl=URL, MessageBody=str(number))
    time.sleep(6)
