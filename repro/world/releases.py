"""The releases of a distribution, from the index that the user's own installer would use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from repro.errors import UntestableError

if TYPE_CHECKING:
    from pypi_simple import ProjectPage

INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
MORE_VARIABLES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
"""Indexes that are asked before the default one; the first that knows a name is believed, as uv does."""


@dataclass(frozen=True, order=True)
class Release:
    """A release; ``released`` is None where the index does not tell, ``requires_python`` empty likewise."""

    version: Version
    released: date | None = None
    is_yanked: bool = False
    requires_python: str = ""

    def __str__(self) -> str:
        return str(self.version)


def releases(
    package: str, *, python: str = "", include_prereleases: bool = False, include_yanked: bool = False
) -> tuple[Release, ...]:
    """The releases, the oldest first; with ``python``, those that its version may install.

    Raises:
        UntestableError: there is no such distribution, or no index.
    """
    page = _page(package)
    found: dict[Version, Release] = {}
    for file in page.packages:
        release = _release(file)
        if release is not None:
            known = found.get(release.version)
            found[release.version] = release if known is None else _merged(known, release)
    return tuple(
        release
        for release in sorted(found.values(), key=lambda one: one.version)
        if (include_prereleases or not release.version.is_prerelease)
        and (include_yanked or not release.is_yanked)
        and _takes(release, python)
    )


def _page(package: str) -> ProjectPage:
    from pypi_simple import NoSuchProjectError, PyPISimple

    for endpoint in _endpoints():
        try:
            with PyPISimple(endpoint=endpoint) as index:
                return index.get_project_page(package, timeout=30)
        except NoSuchProjectError:
            continue
        except Exception as error:
            raise UntestableError(
                f"the package index cannot be asked for {package}: {type(error).__name__}; check the network and UV_DEFAULT_INDEX"
            ) from error
    raise UntestableError(f"the package index knows no distribution {package!r}; check its name")


def _endpoints() -> list[str]:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    more = [url for name in MORE_VARIABLES for url in os.environ.get(name, "").split()]
    default = next((os.environ[name] for name in INDEX_VARIABLES if os.environ.get(name)), PYPI_SIMPLE_ENDPOINT)
    return [_without_name(url) for url in (*more, default)]


def _without_name(url: str) -> str:
    """The address of uv's ``name=url``."""
    return url.partition("=")[2] if "=" in url.partition("://")[0] else url


def _release(file: object) -> Release | None:
    try:
        version = Version(str(file.version))  # type: ignore[attr-defined]  # pypi-simple's DistributionPackage
    except InvalidVersion:
        return None
    uploaded = file.upload_time  # type: ignore[attr-defined]  # likewise
    return Release(
        version,
        uploaded.date() if uploaded else None,
        bool(file.is_yanked),  # type: ignore[attr-defined]  # likewise
        str(file.requires_python or ""),  # type: ignore[attr-defined]  # likewise
    )


def _merged(one: Release, other: Release) -> Release:
    """A release of several files: out since the first, withdrawn only when all of them are."""
    days = [release.released for release in (one, other) if release.released]
    return Release(
        one.version,
        min(days, default=None),
        one.is_yanked and other.is_yanked,
        one.requires_python or other.requires_python,
    )


def _takes(release: Release, python: str) -> bool:
    if not python or not release.requires_python:
        return True
    try:
        return Version(python) in SpecifierSet(release.requires_python)
    except InvalidSpecifier:
        return True  # such as ``>=3.5.*``, once accepted: installers pass over it too
