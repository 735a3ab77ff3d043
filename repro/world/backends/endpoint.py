"""An SQS-compatible server that runs already, at any URL; also what the servers of ours are once they stand."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from functools import cached_property

from repro.errors import BackendError
from repro.world.backends.borrowed import BorrowedBackend
from repro.world.backends.protocol import REGION, Health, Queue
from repro.world.backends.wire import MADE_UP, Wire, WireError

LIMIT_S = 10.0
BATCH = 10
"""The most messages that SQS takes at once."""

PROBE_QUEUE = "repro-probe"


class EndpointBackend(BorrowedBackend):
    """Talks to an SQS at ``endpoint_url`` with made-up credentials; queues are deleted when their trial ends.

    Raises:
        UsageError: it is not the URL of a server.
    """

    name = "endpoint"
    secrets: tuple[str, ...] = ()

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url.rstrip("/")
        self._queues: dict[str, str] = {}
        if endpoint_url:
            _ = self._wire  # a URL that cannot be one is said at once

    def start(self) -> None:
        """See that it answers as an SQS."""
        health = self.probe(LIMIT_S)
        if not health.ok:
            raise BackendError(
                f"{self.endpoint_url} does not answer as an SQS: {health.reason}; start it, or check the URL"
            )

    def new_queue(self, name: str, *, messages: int = 0) -> Queue:
        """A fresh queue with this many messages in it."""
        try:
            url = str(self._wire.call("CreateQueue", {"QueueName": name}, limit_s=LIMIT_S)["QueueUrl"])
            self._queues[name] = url
            for entries in batches(messages):
                self._wire.call("SendMessageBatch", {"QueueUrl": url, "Entries": entries}, limit_s=LIMIT_S)
        except (WireError, KeyError) as error:
            raise BackendError(
                f"cannot make the queue {name} at {self.endpoint_url}: {error}; check that the server is still running"
            ) from error
        return Queue(name, url)

    def drop_queue(self, name: str) -> None:
        """Delete a queue; one that is not there, or a backend that has gone, is not an error."""
        url = self._queues.pop(name, None)
        if url is not None:
            with contextlib.suppress(WireError):
                self._wire.call("DeleteQueue", {"QueueUrl": url}, limit_s=LIMIT_S)

    def probe(self, limit_s: float) -> Health:
        """Ask for the queues of a name that none has: cheap, and only an SQS can answer it."""
        began = time.monotonic()
        try:
            self._wire.call("ListQueues", {"QueueNamePrefix": PROBE_QUEUE}, limit_s=limit_s)
        except WireError as error:
            return Health(ok=False, seconds=time.monotonic() - began, reason=str(error))
        return Health(ok=True, seconds=time.monotonic() - began)

    def cell_environ(self) -> Mapping[str, str]:
        """The variables by which a cell's client finds it."""
        trust = {"AWS_CA_BUNDLE": os.environ["AWS_CA_BUNDLE"]} if os.environ.get("AWS_CA_BUNDLE") else {}
        return {
            **(trust if self.endpoint_url.startswith("https:") else {}),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_SQS": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": MADE_UP,
            "AWS_SECRET_ACCESS_KEY": MADE_UP,
        }

    def stop(self) -> None:
        """Delete the queues that are still there."""
        for name in tuple(self._queues):
            self.drop_queue(name)

    @cached_property
    def _wire(self) -> Wire:
        return Wire(self.endpoint_url)


def batches(messages: int) -> list[list[dict[str, str]]]:
    """So many messages as the entries of ``SendMessageBatch``."""
    return [
        [{"Id": str(i), "MessageBody": f"message {i}"} for i in range(start, min(start + BATCH, messages))]
        for start in range(0, messages, BATCH)
    ]
