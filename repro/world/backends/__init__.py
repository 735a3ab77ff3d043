"""The SQS that cells talk to: ``moto`` and ``ministack`` (servers of ours), ``endpoint`` (one that runs already), ``aws``.

    backend.start() ─▶ new_queue … probe, about every second … drop_queue ─▶ backend.stop()

A backend never lives in a cell's environment: cells vary botocore and urllib3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from repro.errors import UsageError

if TYPE_CHECKING:
    from repro.world.backends.request_log import Request

REGION = "us-east-1"
NAMES = ("moto", "ministack", "endpoint", "aws")


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
    """An SQS for a run. ``endpoint_url`` is what cells connect to when no proxy stands before it."""

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

    def new_queue(self, name: str, *, messages: int = 0) -> Queue:
        """A fresh queue with so many messages in it.

        Raises:
            BackendError: it cannot be made.
        """

    def drop_queue(self, name: str) -> None:
        """Delete a queue; one that is not there, or a backend that has gone, is no error."""

    def probe(self, limit_s: float) -> Health:
        """Ask something cheap through a connection of its own, once."""

    def request_mark(self) -> int:
        """This moment, for ``requests_since``."""

    def requests_since(self, mark: int) -> tuple[Request, ...]:
        """What has reached the backend since; nothing where there is no log (only ``moto`` has one)."""

    def cell_environ(self) -> Mapping[str, str]:
        """The variables by which a cell's client finds it, credentials included."""

    def is_alive(self) -> bool:
        """Whether its process lives, as far as it is ours."""

    def stop(self) -> None:
        """Go, and leave nothing behind.

        Raises:
            BackendError: something stays in a real account; how to remove it.
        """


def make_backend(
    name: str,
    *,
    folder: Path,
    mark: str,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
) -> Backend:
    """The backend of this name, not started yet. ``folder`` exists and takes what it writes, ``mark`` its processes.

    With ``aws``, ``endpoint_url`` replaces the region's public endpoint: a VPC's own one, or a stand-in.

    Raises:
        UsageError: there is no such backend, or it wants an option that was not given.
    """
    makers: dict[str, Callable[[], Backend]] = {
        "moto": lambda: _moto(folder, mark),
        "ministack": lambda: _ministack(folder, mark),
        "endpoint": lambda: _endpoint(endpoint_url),
        "aws": lambda: _aws(folder, region, profile, endpoint_url),
    }
    if name not in makers:
        raise UsageError(f"there is no backend {name!r}; use {', '.join(NAMES[:-1])} or {NAMES[-1]}")
    return makers[name]()


def check_options(names: Collection[str], *, endpoint_url: str | None, region: str | None) -> None:
    """See that each of these backends was given what it wants, before a run is made for it.

    Raises:
        UsageError: an option is missing, or is no URL.
    """
    if "endpoint" in names:
        _endpoint(endpoint_url)
    if "aws" in names:
        _check_region(region)


def _moto(folder: Path, mark: str) -> Backend:
    from repro.world.backends.moto import MotoBackend

    return MotoBackend(folder=folder, mark=mark)


def _ministack(folder: Path, mark: str) -> Backend:
    from repro.world.backends.ministack import MiniStackBackend

    return MiniStackBackend(folder=folder, mark=mark)


def _endpoint(endpoint_url: str | None) -> Backend:
    from repro.world.backends.endpoint import EndpointBackend

    if not endpoint_url:
        raise UsageError("--backend endpoint needs --endpoint-url URL, the address of an SQS that runs")
    return EndpointBackend(endpoint_url)


def _aws(folder: Path, region: str | None, profile: str | None, endpoint_url: str | None) -> Backend:
    from repro.world.backends.aws import AwsBackend

    return AwsBackend(_check_region(region), run=folder.parent.name, profile=profile, endpoint_url=endpoint_url)


def _check_region(region: str | None) -> str:
    if not region:
        raise UsageError("--backend aws needs --region REGION, such as --region eu-central-1")
    return region
