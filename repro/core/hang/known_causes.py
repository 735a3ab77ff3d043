"""Known causes: whether what was seen of a trial is one of them, with the reasons, or new.

A cause matches when its class is the trial's, every package that it names is installed in a version that it
concerns, and one of its pieces of evidence is there whole: all its frames, all its lines of output.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name


@dataclass(frozen=True, kw_only=True)
class CausePattern:
    """What must be seen together: normalised frames (``urllib3/connectionpool.py:_close_pool_connections``) and patterns of the output."""

    frames: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A known cause; ``classes`` are hang classes, or ``crash`` and ``failing`` for verdicts that are no hang.

    ``packages`` maps distributions to the versions concerned. ``cure`` is one that ``shown_by`` shows when it is run:
    an experiment of this program. ``upstream`` are the threads where it is discussed.
    """

    id: str
    title: str
    classes: tuple[str, ...]
    packages: Mapping[str, SpecifierSet]
    evidence: tuple[CausePattern, ...]
    cure: str
    shown_by: str
    upstream: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What was seen of a trial: its hang class or verdict, versions, normalised frames that matter, its output."""

    kind: str
    versions: Mapping[str, str]
    frames: Collection[str]
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class CauseMatch:
    """A cause that fits, and why."""

    cause: Cause
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """For people: ``this is gevent 1957: …, cured by … (seen in repro run …), because …``."""
        threads = f" See {self.cause.upstream[0]}." if self.cause.upstream else ""
        return (
            f"This is {self.cause.title}. Cured by {self.cause.cure} "
            f"(`repro run {self.cause.shown_by}` shows it). It matches because {_listed(self.reasons)}.{threads}"
        )


NEW = "New: it matches none of the known causes."


def match(causes: Sequence[Cause], seen: Sighting) -> CauseMatch | None:
    """The cause that fits what was seen, the one with most reasons when there are several; None when it is new."""
    found = [hit for cause in causes if (hit := _match(cause, seen)) is not None]
    return max(found, key=lambda hit: len(hit.reasons), default=None)


def _match(cause: Cause, seen: Sighting) -> CauseMatch | None:
    if seen.kind not in cause.classes:
        return None
    versions = {canonicalize_name(name): version for name, version in seen.versions.items()}
    concerned: list[str] = []
    for name, specifier in cause.packages.items():
        version = versions.get(canonicalize_name(name))
        if version is None or not specifier.contains(version, prereleases=True):
            return None
        concerned.append(f"{name} {version} is {specifier}" if str(specifier) else f"{name} {version} is there")
    pieces = [reasons for piece in cause.evidence if (reasons := _reasons(piece, seen)) is not None]
    if not pieces:
        return None
    return CauseMatch(cause=cause, reasons=(*max(pieces, key=len), *concerned))


def _reasons(piece: CausePattern, seen: Sighting) -> tuple[str, ...] | None:
    """Why this piece of evidence is there, or None when something of it is missing."""
    lines = [re.search(pattern, seen.output, re.MULTILINE) for pattern in piece.output]
    if not all(frame in seen.frames for frame in piece.frames) or not all(lines):
        return None
    frames = tuple(f"`{frame}` is in the stacks" for frame in piece.frames)
    return (*frames, *(f"the output says `{line[0]}`" for line in lines if line))


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
