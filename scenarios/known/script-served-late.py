"""Spawns greenlets, sleeps in one call that is not gevent's, and then lets them run."""

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
time.sleep(30)
gevent.joinall(spawned)
