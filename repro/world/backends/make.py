"""A backend by its name, with the options that it wants."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from repro.errors import UsageError
from repro.world.backends.protocol import NAMES, Backend


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
        raise UsageError(f"unknown backend {name!r}; use {', '.join(NAMES[:-1])} or {NAMES[-1]}")
    return makers[name]()


def check_options(names: Collection[str], *, endpoint_url: str | None, region: str | None) -> None:
    """See that each of these backends was given what it wants, before a run is made for it.

    Raises:
        UsageError: an option is missing, or is not a URL.
    """
    if "endpoint" in names:
        _endpoint(endpoint_url)
    if "aws" in names:
        _check_region(region)


def _moto(folder: Path, mark: str) -> Backend:
    from repro.world.backends.servers.moto import MotoBackend

    return MotoBackend(folder=folder, mark=mark)


def _ministack(folder: Path, mark: str) -> Backend:
    from repro.world.backends.servers.ministack import MiniStackBackend

    return MiniStackBackend(folder=folder, mark=mark)


def _endpoint(endpoint_url: str | None) -> Backend:
    from repro.world.backends.endpoint import EndpointBackend

    if not endpoint_url:
        raise UsageError("--backend endpoint needs --endpoint-url URL, the address of a running SQS")
    return EndpointBackend(endpoint_url)


def _aws(folder: Path, region: str | None, profile: str | None, endpoint_url: str | None) -> Backend:
    from repro.world.backends.aws.backend import AwsBackend

    return AwsBackend(_check_region(region), run=folder.parent.name, profile=profile, endpoint_url=endpoint_url)


def _check_region(region: str | None) -> str:
    if not region:
        raise UsageError("--backend aws needs --region REGION, such as --region eu-central-1")
    return region
