"""Three workers of asyncio share a queue, and only one of them is told to end."""

import asyncio
import os

import boto3

CLIENT = boto3.client("sqs")
URL = CLIENT.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "planted"))["QueueUrl"]
WORKERS = 3


async def work(queue):
    while (number := await queue.get()) is not None:
        CLIENT.send_message(QueueUrl=URL, MessageBody=str(number))


async def main():
    queue = asyncio.Queue()
    for item in (*range(6), None):
        queue.put_nowait(item)
    await asyncio.gather(*(work(queue) for _ in range(WORKERS)))


asyncio.run(main())
