"""A greenlet in gevent's thread pool waits for a result, which the main thread sets, again and again (mode ``script``)."""

from gevent import monkey  # isort: skip

monkey.patch_all()

import os  # noqa: E402

import boto3  # noqa: E402
import gevent  # noqa: E402
from gevent.event import AsyncResult, Event  # noqa: E402
from gevent.threadpool import ThreadPool  # noqa: E402

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
SETS = os.environ.get("REPRO_SETS", "directly")
SQS = boto3.client("sqs")
URL = SQS.get_queue_url(QueueName=QUEUE)["QueueUrl"]


def take(asked):
    ended = Event()
    gevent.spawn(poll, ended)
    result = AsyncResult()
    asked.append((result, gevent.get_hub().loop))
    answer = result.get()
    ended.set()
    return answer


def poll(ended):
    while not ended.wait(0.05):
        pass


def main():
    pool = ThreadPool(1)
    for number in range(20):
        asked = []
        taken = pool.spawn(take, asked)
        while not asked:
            gevent.sleep(0.05)
        result, loop = asked[0]
        if SETS == "directly":
            result.set(str(number))
        else:
            loop.run_callback_threadsafe(result.set, str(number))
        SQS.send_message(QueueUrl=URL, MessageBody=taken.get())
    print("all is sent")


main()
