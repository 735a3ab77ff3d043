"""The real SQS, in the user's own account, with nothing left behind.

queue names   repro-…, tags created-by=repro and repro-run=RUN: what `repro cleanup` goes by
credentials   by boto3's chain in this program; to the cell by its environment, nowhere else
messages      kept for an hour at most, should the queues themselves be left behind
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from repro.errors import BackendError
from repro.world.backends.aws.account import GONE, Account, code_of, open_account
from repro.world.backends.borrowed import BorrowedBackend
from repro.world.backends.endpoint import batches
from repro.world.backends.protocol import Health, Queue

PREFIX = "repro-"
CREATED_BY, RUN = "created-by", "repro-run"
RETENTION_S = 3600
PROBE_EVERY_S = 10.0
"""A good answer is trusted for this long: each probe of a real service is a request that is paid for."""

MOST_NAME = 80


class AwsBackend(BorrowedBackend):
    """The SQS of ``region``; ``endpoint_url`` replaces its public endpoint (a VPC's own, or a stand-in in tests)."""

    name = "aws"

    def __init__(self, region: str, *, run: str, profile: str | None = None, endpoint_url: str | None = None) -> None:
        self.endpoint_url = endpoint_url or ""
        self.run = re.sub(r"[^A-Za-z0-9_-]", "-", run.removeprefix(PREFIX))
        self._region, self._profile = region, profile
        self._queues: dict[str, str | None] = {}
        self._latest: tuple[float, Health] | None = None
        self._lock = threading.Lock()
        self._probe_clients: dict[float, Any] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials' values, which must not appear in anything that is written."""
        found = self._account.credentials()
        return tuple(value for value in (found.access_key, found.secret_key, found.token) if value)

    def start(self) -> None:
        """See that account, region and credentials are good for it.

        Raises:
            UsageError: there is no such region or profile; BackendError: AWS says no, or nothing.
        """
        self._account.credentials()
        with self._account.sentences("list queues"):
            self._client.list_queues(QueueNamePrefix=self._named("probe"))
        self.endpoint_url = str(self._client.meta.endpoint_url)

    def new_queue(self, name: str, *, messages: int = 0) -> Queue:
        """A fresh queue with this many messages in it, tagged; its name begins with ``repro-``, whatever was asked."""
        name = self._named(name)
        self._queues[name] = None  # from before it exists: an interrupted creation is tidied away too
        with self._account.sentences(f"make the queue {name}"):
            url = self._client.create_queue(
                QueueName=name,
                Attributes={"MessageRetentionPeriod": str(RETENTION_S)},
                tags={CREATED_BY: "repro", RUN: self.run},
            )["QueueUrl"]
            self._queues[name] = url
            for entries in batches(messages):
                self._client.send_message_batch(QueueUrl=url, Entries=entries)
        return Queue(name, url)

    def drop_queue(self, name: str) -> None:
        """Delete a queue; what cannot be deleted now is tried once more by ``stop``."""
        name = self._named(name)
        if name in self._queues and not self._delete(name):
            del self._queues[name]

    def probe(self, limit_s: float) -> Health:
        """List no queues at all; a good answer of the last ``PROBE_EVERY_S`` seconds is given again."""
        began = time.monotonic()
        with self._lock:
            if self._latest is not None and self._latest[1].ok and began - self._latest[0] < PROBE_EVERY_S:
                return self._latest[1]
        health = self._probe_now(limit_s, began)
        with self._lock:
            self._latest = (began, health)
        return health

    def cell_environ(self) -> Mapping[str, str]:
        """The variables by which a cell's client finds it, with the credentials as they are now."""
        credentials = self._account.credentials()
        token = {"AWS_SESSION_TOKEN": credentials.token} if credentials.token else {}
        return {
            **token,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_SQS": self.endpoint_url,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_REGION": self._region,
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        }

    def stop(self) -> None:
        """Delete the queues that are still there.

        Raises:
            BackendError: some cannot be deleted; the command that removes them.
        """
        reasons = {name: reason for name in tuple(self._queues) if (reason := self._delete(name))}
        self._queues = dict.fromkeys(reasons)
        if reasons:
            profile = f" --profile {self._profile}" if self._profile else ""
            raise BackendError(
                f"{'1 queue was' if len(reasons) == 1 else f'{len(reasons)} queues were'} left in {self._region} "
                f"({next(iter(reasons.values()))}); "
                f"remove them with `repro cleanup --region {self._region}{profile}`"
            )

    def _probe_now(self, limit_s: float, began: float) -> Health:
        try:
            if limit_s not in self._probe_clients:
                self._probe_clients[limit_s] = self._account.client(read_limit_s=limit_s, attempts=1)
            with self._account.sentences("list queues"):
                self._probe_clients[limit_s].list_queues(QueueNamePrefix=self._named("probe"))
        except BackendError as error:
            return Health(ok=False, seconds=time.monotonic() - began, reason=str(error))
        return Health(ok=True, seconds=time.monotonic() - began)

    def _delete(self, name: str) -> str:
        """Why the queue could not be deleted; empty when it is gone."""
        from botocore.exceptions import ClientError

        try:
            with self._account.sentences(f"delete the queue {name}"):
                try:
                    url = self._queues[name] or self._client.get_queue_url(QueueName=name)["QueueUrl"]
                    self._client.delete_queue(QueueUrl=url)
                except ClientError as error:
                    if code_of(error) not in GONE:
                        raise
        except BackendError as error:
            return str(error)
        return ""

    def _named(self, name: str) -> str:
        return name if name.startswith(PREFIX) else f"{PREFIX}{self.run}-{name}"[:MOST_NAME]

    @cached_property
    def _account(self) -> Account:
        return open_account(self._region, profile=self._profile, endpoint_url=self.endpoint_url)

    @cached_property
    def _client(self) -> Any:
        return self._account.client()
