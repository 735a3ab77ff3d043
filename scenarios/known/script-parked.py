"""Two greenlets wait for each other's event."""

import os

from gevent import monkey
from gevent.event import Event

monkey.patch_all()

import boto3  # noqa: E402
import gevent  # noqa: E402

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]


first, second = Event(), Event()
heart = gevent.get_hub().loop.timer(1, 1)  # as a library's heartbeat keeps a loop going
heart.start(lambda: None)


def wait_and_set(mine, other):
    other.wait()
    mine.set()


CLIENT.send_message(QueueUrl=URL, MessageBody="before")
gevent.joinall([gevent.spawn(wait_and_set, first, second), gevent.spawn(wait_and_set, second, first)])
