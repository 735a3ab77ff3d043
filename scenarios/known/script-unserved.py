"""Spawns greenlets, and then polls by a sleep that is not gevent's: its event loop never turns, and they never begin."""

import os
import time

import boto3
import gevent

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]


def send(text):
    CLIENT.send_message(QueueUrl=URL, MessageBody=text)


send("before")
spawned = [gevent.spawn(send, str(number)) for number in range(4)]
while not all(one.ready() for one in spawned):
    time.sleep(0.1)
