"""Which known causes a set of packages can have: by their versions alone, nothing is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.core.causes.known_causes import Cause


@dataclass(frozen=True)
class Possible:
    """A cause that these versions allow: which packages of them make it possible, by name."""

    cause: Cause
    concerned: Mapping[str, str]

    @property
    def is_certain(self) -> bool:
        """Whether the versions alone decide."""
        return not self.cause.needs

    @property
    def is_of_any_version(self) -> bool:
        """Whether every version can have it: then these packages say nothing."""
        return not any(str(specifier) for specifier in self.cause.packages.values())


def possible_causes(causes: Sequence[Cause], versions: Mapping[str, str]) -> tuple[Possible, ...]:
    """The causes whose packages are all there in versions that they concern, and that none of their cures rules out."""
    named: dict[str, str] = {canonicalize_name(name): version for name, version in versions.items()}
    return tuple(
        Possible(cause, concerned)
        for cause in causes
        if (concerned := _concerned(cause, named)) is not None
        and not any(_is_there(cure, named) for cure in cause.cures)
    )


def _concerned(cause: Cause, versions: Mapping[str, str]) -> Mapping[str, str] | None:
    found: dict[str, str] = {}
    for name, specifier in cause.packages.items():
        version = versions.get(canonicalize_name(name))
        if version is None or not specifier.contains(version, prereleases=True):
            return None
        found[name] = version
    return found


def _is_there(cure: str, versions: Mapping[str, str]) -> bool:
    """Whether a cure that is a requirement is met; a step that somebody must take is not seen in versions."""
    try:
        wanted = Requirement(cure)
    except InvalidRequirement:
        return False
    version = versions.get(canonicalize_name(wanted.name))
    return version is not None and wanted.specifier.contains(version, prereleases=True)
