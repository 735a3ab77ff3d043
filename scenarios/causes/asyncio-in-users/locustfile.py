"""Users of an asyncio client: each task runs its coroutine with asyncio.run(), all at once or one at a time."""

import asyncio
import contextlib
import os
import time
from urllib.parse import urlsplit

from gevent.lock import BoundedSemaphore
from locust import User, constant, task

SERVER = urlsplit(os.environ.get("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:5000"))
IS_ALONE = os.environ.get("REPRO_COROUTINES") == "one-at-a-time"
TURN = BoundedSemaphore(1) if IS_ALONE else contextlib.nullcontext()


async def list_queues():
    reader, writer = await asyncio.open_connection(SERVER.hostname, SERVER.port)
    writer.write(b"GET /?Action=ListQueues HTTP/1.0\r\nHost: localhost\r\n\r\n")
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


class AsyncUser(User):
    wait_time = constant(0.1)

    @task
    def ask(self):
        began, error, answer = time.perf_counter(), None, b""
        try:
            with TURN:
                answer = asyncio.run(list_queues())
        except Exception as caught:  # noqa: BLE001  # told to Locust
            error = caught
        self.environment.events.request.fire(
            request_type="async",
            name="list_queues",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=len(answer),
            exception=error,
            context={},
        )
