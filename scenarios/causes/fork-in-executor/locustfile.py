"""Workers of an executor run a command, then send, in a plain program under gevent (launch mode ``script``).

``concurrent.futures.thread`` is imported before gevent patches, as a start-up hook or a logging module may do. The executor
holds its native lock while it starts a thread, and ``os.fork`` takes it in another greenlet of the same thread.
"""

import concurrent.futures.thread  # noqa: F401  # before the patching, and that is the point

from gevent import monkey  # isort: skip

monkey.patch_all()

import os  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

import boto3  # noqa: E402

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
SECONDS = float(os.environ.get("REPRO_SECONDS") or 8)
WORKERS = 5
SQS = boto3.client("sqs")
URL = SQS.get_queue_url(QueueName=QUEUE)["QueueUrl"]


def run_and_send(number):
    subprocess.run(["true"], check=True)
    SQS.send_message(QueueUrl=URL, MessageBody=str(number))


def main():
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        with ThreadPoolExecutor(max_workers=WORKERS) as workers:
            list(workers.map(run_and_send, range(WORKERS)))
    print("ended by itself")


main()
