"""An SQS-compatible server that runs already, at any URL; also what the embedded ones are once they stand."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from repro.errors import BackendError
from repro.world.backends import REGION, Health, Queue

LIMIT_S = 10.0
BATCH = 10
PROBE_QUEUE = "repro-probe"
MADE_UP = "repro"  # an emulator asks for some credentials, whatever they are


class EndpointBackend:
    """Talks to an SQS at ``endpoint_url`` with made-up credentials; queues are deleted when their trial ends."""

    name = "endpoint"

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url.rstrip("/")
        self._clients: dict[float, Any] = {}
        self._queues: set[str] = set()

    def start(self) -> None:
        """See that it answers as an SQS."""
        health = self.probe(LIMIT_S)
        if not health.ok:
            raise BackendError(
                f"{self.endpoint_url} does not answer as an SQS ({health.reason}); start it, or check the URL and http/https"
            )

    def new_queue(self, name: str, *, messages: int = 0) -> Queue:
        """A fresh queue with so many messages in it."""
        client = self._client(LIMIT_S)
        with _as_backend_error(f"cannot make the queue {name} at {self.endpoint_url}"):
            url = client.create_queue(QueueName=name)["QueueUrl"]
            self._queues.add(name)
            for start in range(0, messages, BATCH):
                entries = [
                    {"Id": str(i), "MessageBody": f"message {i}"} for i in range(start, min(start + BATCH, messages))
                ]
                client.send_message_batch(QueueUrl=url, Entries=entries)
        return Queue(name, url)

    def drop_queue(self, name: str) -> None:
        """Delete a queue; one that is not there, or a backend that has gone, is no error."""
        self._queues.discard(name)
        with contextlib.suppress(Exception):
            client = self._client(LIMIT_S)
            client.delete_queue(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"])

    def probe(self, limit_s: float) -> Health:
        """List no queues at all: cheap, and only an SQS can answer it."""
        began = time.monotonic()
        try:
            self._client(limit_s).list_queues(QueueNamePrefix=PROBE_QUEUE)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the probe's answer
            return Health(ok=False, seconds=time.monotonic() - began, reason=f"{type(error).__name__}: {error}")
        return Health(ok=True, seconds=time.monotonic() - began)

    def cell_environ(self) -> Mapping[str, str]:
        """The variables by which a cell's client finds it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_SQS": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": MADE_UP,
            "AWS_SECRET_ACCESS_KEY": MADE_UP,
        }

    def is_alive(self) -> bool:
        """Not ours: it is judged by its answers alone."""
        return True

    def stop(self) -> None:
        """Delete the queues that are still there."""
        for name in tuple(self._queues):
            self.drop_queue(name)

    def _client(self, limit_s: float) -> Any:
        """A client for calls of at most ``limit_s`` without retries; kept, for making one costs more than a call."""
        if limit_s not in self._clients:
            import boto3
            from botocore.config import Config

            config = Config(connect_timeout=limit_s, read_timeout=limit_s, retries={"total_max_attempts": 1})
            session = boto3.session.Session(
                aws_access_key_id=MADE_UP, aws_secret_access_key=MADE_UP, region_name=REGION
            )
            self._clients[limit_s] = session.client("sqs", endpoint_url=self.endpoint_url, config=config)
        return self._clients[limit_s]


@contextlib.contextmanager
def _as_backend_error(what: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    try:
        yield
    except Exception as error:
        raise BackendError(f"{what}: {type(error).__name__}: {error}") from error
