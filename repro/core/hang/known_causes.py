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

from repro.findings import CauseMatch


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


def match(causes: Sequence[Cause], seen: Sighting) -> CauseMatch | None:
    """The cause that fits what was seen, the one with most reasons when there are several; None when it is new."""
    found = [hit for cause in causes if (hit := _match(cause, seen)) is not None]
    return max(found, key=lambda hit: len(hit.frames) + len(hit.lines) + len(hit.versions), default=None)


def _match(cause: Cause, seen: Sighting) -> CauseMatch | None:
    if seen.kind not in cause.classes:
        return None
    concerned = _concerned(cause, seen)
    pieces = [found for piece in cause.evidence if (found := _found(piece, seen)) is not None]
    if concerned is None or not pieces:
        return None
    frames, lines = max(pieces, key=lambda found: len(found[0]) + len(found[1]))
    return CauseMatch(
        id=cause.id,
        title=cause.title,
        cure=cause.cure,
        shown_by=cause.shown_by,
        upstream=cause.upstream[0] if cause.upstream else "",
        frames=frames,
        lines=lines,
        versions=concerned,
    )


def _concerned(cause: Cause, seen: Sighting) -> tuple[tuple[str, str, str], ...] | None:
    """Each package of the cause with its version here and those that are concerned; None when one is not."""
    versions = {canonicalize_name(name): version for name, version in seen.versions.items()}
    found: list[tuple[str, str, str]] = []
    for name, specifier in cause.packages.items():
        version = versions.get(canonicalize_name(name))
        if version is None or not specifier.contains(version, prereleases=True):
            return None
        found.append((name, version, str(specifier)))
    return tuple(found)


def _found(piece: CausePattern, seen: Sighting) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The frames and the lines of output that make this piece of evidence, or None when something of it is missing."""
    lines = [re.search(pattern, seen.output, re.MULTILINE) for pattern in piece.output]
    if not all(frame in seen.frames for frame in piece.frames) or not all(lines):
        return None
    return piece.frames, tuple(line[0] for line in lines if line)
