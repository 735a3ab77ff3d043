"""The releases of a distribution, from the index that the user's own installer would use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro.errors import UnreachableError, UntestableError
from repro.world.environments.indexes import Index, certificates, indexes, local_path, user_settings

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

PATIENCE_S = 30.0


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
        UntestableError: there is no such distribution.
        UnreachableError: there is no index to be asked.
    """
    found: dict[Version, Release] = {}
    for file in _files(package):
        release = _release(file)
        if release is not None:
            known = found.get(release.version)
            found[release.version] = release if known is None else _merged(known, release)
    return tuple(
        release
        for release in sorted(found.values(), key=lambda one: one.version)
        if (include_prereleases or not release.version.is_prerelease)
        and (include_yanked or not release.is_yanked)
        and takes(python, release)
    )


def _files(package: str) -> list[DistributionPackage]:
    """The package's files in the first index that has any, and in all places with files."""
    found: list[DistributionPackage] = []
    try:
        for place in user_settings(os.environ, Path.cwd()).links:
            found += _in_links(place, package)
        for index in indexes(os.environ, Path.cwd()):
            if in_index := _in_index(index, package):
                return [*found, *in_index]
    except Exception as error:
        raise UnreachableError(
            f"the package index cannot be asked for {package}: {type(error).__name__}; "
            "check the network and UV_DEFAULT_INDEX"
        ) from error
    if not found:
        raise UntestableError(f"the package index does not have {package!r}; check its name")
    return found


def _in_index(index: Index, package: str) -> list[DistributionPackage]:
    from pypi_simple import NoSuchProjectError, PyPISimple

    folder = local_path(index.url)
    if folder is not None:
        page = folder / canonicalize_name(package)
        return _in_links(f"{page}/index.html" if (page / "index.html").exists() else str(page), package)
    with PyPISimple(endpoint=index.url, auth=index.auth) as client:
        client.s.verify = certificates(os.environ) or True
        try:
            return client.get_project_page(package, timeout=PATIENCE_S).packages
        except NoSuchProjectError:
            return []


def _in_links(place: str, package: str) -> list[DistributionPackage]:
    """The package's files in a folder, or among the links of a page."""
    from pypi_simple import DistributionPackage, Link, ProjectPage, PyPISimple

    path = local_path(place)
    if path is None:
        with PyPISimple() as client:
            answer = client.s.get(place, timeout=PATIENCE_S, verify=certificates(os.environ) or True)
        answer.raise_for_status()
        text, url = answer.text, place
    elif path.is_dir():
        names = sorted(file.name for file in path.iterdir())
        return _of_package(package, [DistributionPackage.from_link(Link(name, name, {}), package) for name in names])
    elif path.is_file():
        text, url = path.read_text("utf-8"), path.as_uri()
    else:
        return []
    return _of_package(package, ProjectPage.from_html(package, text, base_url=url).packages)


def _of_package(package: str, files: list[DistributionPackage]) -> list[DistributionPackage]:
    return [file for file in files if file.project and canonicalize_name(file.project) == canonicalize_name(package)]


def _release(file: DistributionPackage) -> Release | None:
    try:
        version = Version(str(file.version))
    except InvalidVersion:
        return None
    uploaded = file.upload_time
    return Release(
        version,
        uploaded.date() if uploaded else None,
        bool(file.is_yanked),
        str(file.requires_python or ""),
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


def takes(python: str, release: Release) -> bool:
    """Whether an interpreter of this version may install a release; an empty version takes all."""
    if not python or not release.requires_python:
        return True
    try:
        return Version(python) in SpecifierSet(release.requires_python)
    except InvalidSpecifier:
        return True  # such as ``>=3.5.*``, once accepted: installers pass over it too
