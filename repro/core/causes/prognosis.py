"""Which known causes a set of packages can have, and which of them a command makes likely: nothing is run.

possible   every package that the cause names is there, in a version that it concerns
likely     possible, and all that the cause's file says of other packages and of the command holds
seen       the hang itself matched the cause: what was seen of it is in ``known_causes``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.core.causes.known_causes import Cause, Conditions


class Likelihood(StrEnum):
    """How much speaks for a cause, the least first."""

    POSSIBLE = "possible"
    LIKELY = "likely"
    SEEN = "seen"


class SignKind(StrEnum):
    """What a sign is: a package that is installed, one that is not, a word of the command."""

    INSTALLED = "installed"
    MISSING = "missing"
    COMMAND = "command"


@dataclass(frozen=True)
class Sign:
    """One thing that makes a cause likely: the package, or the word of the command."""

    kind: SignKind
    name: str


@dataclass(frozen=True)
class Possible:
    """A cause that these versions allow: which packages of them make it possible, by name; what makes it likely."""

    cause: Cause
    concerned: Mapping[str, str]
    signs: tuple[Sign, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether the versions alone decide."""
        return not self.cause.needs

    @property
    def is_of_any_version(self) -> bool:
        """Whether every version can have it: then these packages say nothing."""
        return not any(str(specifier) for specifier in self.cause.packages.values())

    @property
    def likelihood(self) -> Likelihood:
        """``LIKELY`` where signs were found, for they are only given where all of them were."""
        return Likelihood.LIKELY if self.signs else Likelihood.POSSIBLE


def possible_causes(
    causes: Sequence[Cause],
    versions: Mapping[str, str],
    command: Sequence[str] | None = None,
    *,
    python: str = "",
) -> tuple[Possible, ...]:
    """The causes whose packages are all there in versions that they concern, and that none of their cures rules out.

    ``command`` are the words of the command that runs with these packages, None where it is not known: then a cause
    that depends on the command is not called likely. ``python`` is the interpreter's version, "" where it is not known.
    """
    named: dict[str, str] = {canonicalize_name(name): version for name, version in versions.items()}
    words = None if command is None else frozenset(map(_word, command))
    return tuple(
        Possible(cause, concerned, _signs(cause.likely, named, words))
        for cause in causes
        if (concerned := _concerned(cause, named)) is not None
        and (not python or cause.python.contains(python, prereleases=True))
        and not any(_is_there(cure, named) for cure in cause.cures)
    )


def _signs(conditions: Conditions, installed: Mapping[str, str], words: frozenset[str] | None) -> tuple[Sign, ...]:
    """What makes it likely; empty where a condition does not hold, cannot be checked, or there is none."""
    packages = [name for name in conditions.packages if canonicalize_name(name) in installed]
    typed = [word for word in conditions.command if words is not None and word in words]
    lacks = (conditions.packages and not packages) or (conditions.command and not typed)
    if lacks or any(canonicalize_name(name) in installed for name in conditions.without):
        return ()
    return (
        *(Sign(SignKind.INSTALLED, name) for name in packages),
        *(Sign(SignKind.MISSING, name) for name in conditions.without),
        *(Sign(SignKind.COMMAND, word) for word in typed),
    )


def _word(typed: str) -> str:
    """A word of a command without what varies: an option without its value, a program without its folder."""
    return typed.partition("=")[0] if typed.startswith("-") else PurePath(typed).name


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
