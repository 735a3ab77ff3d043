"""Known causes: whether what was seen of a trial is one of them, with the reasons, or new.

A cause matches when its class is the trial's, every package that it names is installed in a version that it
concerns, and one of its pieces of evidence is there whole: all its frames, all its lines of output.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from repro.findings import CauseMatch


@dataclass(frozen=True, kw_only=True)
class CausePattern:
    """What must be seen together: normalised frames (``urllib3/connection.py:connect``) and patterns of the output.

    ``unwoken`` are frames in which somebody is parked on nothing that could wake it: a wake-up was lost.
    """

    frames: tuple[str, ...] = ()
    unwoken: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A known cause; ``classes`` are hang classes, or ``crash`` and ``failing`` for verdicts that are no hang.

    ``packages`` maps distributions to the versions concerned. ``cure`` is one that ``shown_by`` shows when it is run:
    an experiment of this program. ``upstream`` are the threads where it is discussed. ``needs`` is what it takes beside
    these versions, "" where they alone decide; ``shows`` is how it shows. ``cures`` are requirements, or steps, one of
    which suffices. ``summary`` is the title in a few words, for a line of an answer.
    """

    id: str
    title: str
    classes: tuple[str, ...]
    packages: Mapping[str, SpecifierSet]
    evidence: tuple[CausePattern, ...]
    cure: str
    shown_by: str
    upstream: tuple[str, ...] = ()
    needs: str = ""
    shows: str = ""
    cures: tuple[str, ...] = ()
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What was seen of a trial: its hang class or verdict, versions, normalised frames that matter, its output."""

    kind: str
    versions: Mapping[str, str]
    frames: Collection[str]
    unwoken: Collection[str] = ()
    output: str = ""


def match(causes: Sequence[Cause], seen: Sighting) -> CauseMatch | None:
    """The cause that fits what was seen, the one with most reasons when there are several; None when it is new."""
    found = [hit for cause in causes if (hit := _match(cause, seen)) is not None]
    return max(
        found, key=lambda hit: len(hit.frames) + len(hit.unwoken) + len(hit.lines) + len(hit.versions), default=None
    )


def _match(cause: Cause, seen: Sighting) -> CauseMatch | None:
    if seen.kind not in cause.classes:
        return None
    concerned = _concerned(cause, seen)
    pieces = [found for piece in cause.evidence if (found := _found(piece, seen)) is not None]
    if concerned is None or not pieces:
        return None
    most = max(pieces, key=lambda found: len(found.frames) + len(found.unwoken) + len(found.output))
    return CauseMatch(
        id=cause.id,
        title=cause.title,
        cure=cause.cure,
        shown_by=cause.shown_by,
        upstream=cause.upstream[0] if cause.upstream else "",
        summary=cause.summary,
        cures=cause.cures,
        frames=most.frames,
        unwoken=most.unwoken,
        lines=most.output,
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


def _found(piece: CausePattern, seen: Sighting) -> CausePattern | None:
    """This piece of evidence with the lines that its patterns match, or None when something of it is missing."""
    lines = [re.search(pattern, seen.output, re.MULTILINE) for pattern in piece.output]
    has_frames = set(piece.frames) <= set(seen.frames) and set(piece.unwoken) <= set(seen.unwoken)
    if not has_frames or not all(lines):
        return None
    return replace(piece, output=tuple(line[0] for line in lines if line))
