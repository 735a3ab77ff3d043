"""How many operations a second a backend carries, measured in the second before the load begins."""

from __future__ import annotations

import contextlib
import http.client
import math
import secrets
import threading
import time

from repro.errors import BackendError
from repro.world.backends.protocol import Backend
from repro.world.backends.wire import Wire, WireError

THREADS = 4
LIMIT_S = 5.0


def measure_capacity(backend: Backend, seconds: float = 1.0) -> float:
    """Operations a second (send, receive, delete) by a few threads on a shallow queue of their own.

    A lower bound: the measuring threads cost processor time too. Infinite for ``aws``: each request there is paid for,
    and what it carries is not what limits a run. Nor is it for ``serve``, which may not be an SQS.

    Raises:
        BackendError: not one operation succeeds.
    """
    if backend.name in {"aws", "serve"}:
        return math.inf
    wire = Wire(backend.endpoint_url)
    name = f"repro-capacity-{secrets.token_hex(4)}"
    queue = backend.new_queue(name)
    counts, failures = [0] * THREADS, list[str]()
    began = time.monotonic()
    shared = {"until": began + seconds, "counts": counts, "failures": failures}
    threads = [
        threading.Thread(target=_work, args=(wire, queue.url), kwargs={**shared, "own": own}) for own in range(THREADS)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.monotonic() - began
    finally:
        backend.drop_queue(name)
    if not sum(counts):
        reason = failures[0] if failures else "no answer in time"
        raise BackendError(
            f"{backend.endpoint_url} does not carry load: {reason}; check that the server is still running"
        )
    return sum(counts) / elapsed


def _work(wire: Wire, url: str, *, until: float, counts: list[int], own: int, failures: list[str]) -> None:
    try:
        with contextlib.closing(wire.connect(LIMIT_S)) as connection:
            while time.monotonic() < until:
                counts[own] += _round(wire, connection, url)
    except WireError as error:
        failures.append(str(error))


def _round(wire: Wire, connection: http.client.HTTPConnection, url: str) -> int:
    """Send, receive, delete what came; how many operations. The queue stays shallow: moto slows with depth."""
    wire.call_on(connection, "SendMessage", {"QueueUrl": url, "MessageBody": "x"})
    received = wire.call_on(connection, "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 1})
    for message in received.get("Messages", ()):
        wire.call_on(connection, "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]})
    return 2 + len(received.get("Messages", ()))
