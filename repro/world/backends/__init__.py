"""The SQS that cells talk to: an embedded moto server, an endpoint that runs already, and more beside them.

A backend never lives in a cell's environment: cells vary botocore and urllib3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from repro.errors import UsageError

REGION = "us-east-1"


@dataclass(frozen=True)
class Queue:
    """A fresh queue of one trial."""

    name: str
    url: str


@dataclass(frozen=True)
class Health:
    """What a probe found: whether the backend answered as an SQS does, in how many seconds, and why not."""

    ok: bool
    seconds: float
    reason: str = ""


class Backend(Protocol):
    """An SQS for a run."""

    name: str
    endpoint_url: str

    def start(self) -> None:
        """Come up; ready when this returns.

        Raises:
            BackendError: with the server's own words.
        """

    def new_queue(self, name: str, *, messages: int = 0) -> Queue:
        """A fresh queue with so many messages in it."""

    def drop_queue(self, name: str) -> None:
        """Delete a queue; one that is not there, or a backend that has gone, is no error."""

    def probe(self, limit_s: float) -> Health:
        """Ask something cheap through a connection of its own."""

    def cell_environ(self) -> Mapping[str, str]:
        """The variables by which a cell's client finds it, credentials included."""

    def is_alive(self) -> bool:
        """Whether its process lives, as far as it is ours."""

    def stop(self) -> None:
        """Go, and leave nothing behind."""


def make_backend(name: str, *, folder: Path, mark: str, endpoint_url: str | None = None) -> Backend:
    """The backend of this name, not started yet.

    Raises:
        UsageError: there is no such backend, or it wants an option that was not given.
    """
    from repro.world.backends.endpoint import EndpointBackend
    from repro.world.backends.moto import MotoBackend

    if name == "moto":
        return MotoBackend(folder=folder, mark=mark)
    if name == "endpoint":
        if not endpoint_url:
            raise UsageError("--backend endpoint needs --endpoint-url URL, the address of an SQS that runs")
        return EndpointBackend(endpoint_url)
    raise UsageError(f"there is no backend {name!r}; use moto or endpoint")
