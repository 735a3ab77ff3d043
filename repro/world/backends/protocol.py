"""What a backend is: AWS's services for a run, an account for each trial, its health and its log."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from repro.core.experiment.factors.catalogue import Catalogue

if TYPE_CHECKING:
    from repro.world.backends.request_log import LoggedRequest

REGION = "us-east-1"
NAMES = Catalogue().by_name["backend"].values


@dataclass(frozen=True)
class Queue:
    """A fresh queue of one trial; ``name`` is what the backend knows it by."""

    name: str
    url: str


@dataclass(frozen=True)
class Health:
    """What a probe found: whether the backend answered as an SQS does, in how many seconds, and why not."""

    ok: bool
    seconds: float
    reason: str = ""


class Backend(Protocol):
    """Services for a run. ``endpoint_url`` is what cells connect to when no proxy stands before it."""

    name: str
    endpoint_url: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values in ``cell_environ`` that must never be written anywhere; none for made-up credentials."""

    def start(self) -> None:
        """Come up; ready when this returns.

        Raises:
            BackendError: with the server's own words.
        """

    def account(self, folder: Path, *, mark: str) -> AbstractContextManager[Backend]:
        """An empty account for one trial, or the one that there is; ``folder`` takes its files, ``mark`` a process.

        Raises:
            BackendError: it does not come up.
        """

    def new_queue(self, name: str, *, messages: int = 0) -> Queue:
        """A fresh queue with this many messages in it.

        Raises:
            BackendError: it cannot be made.
        """

    def drop_queue(self, name: str) -> None:
        """Delete a queue; one that is not there, or a backend that has gone, is not an error."""

    def probe(self, limit_s: float) -> Health:
        """Ask something cheap through its own connection, once."""

    def request_mark(self) -> int:
        """This moment, for ``requests_since``."""

    def requests_since(self, mark: int) -> tuple[LoggedRequest, ...]:
        """What has reached the backend since; nothing where there is no log (only ``moto`` has one)."""

    def requests(self) -> int | None:
        """How many requests have reached it, this program's own left out; None where there is no log."""

    def cell_environ(self) -> Mapping[str, str]:
        """The variables by which a cell's client finds it, credentials included."""

    def is_alive(self) -> bool:
        """Whether its process lives, as far as it is ours."""

    def pids(self) -> tuple[int, ...]:
        """Its processes, as far as they are ours."""

    def stop(self) -> None:
        """Go, and leave nothing behind.

        Raises:
            BackendError: something stays in a real account; how to remove it.
        """
