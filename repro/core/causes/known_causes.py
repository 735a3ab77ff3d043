"""Known causes: whether what was seen of a trial is one of them, with the reasons, or new.

A cause matches when its class is the trial's, every package that it names is installed in a version that it
concerns, and one of its pieces of evidence is there whole: all its frames, all its lines of output.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from repro.findings import CauseMatch


class Fact(StrEnum):
    """What is neither a frame nor output.

    A handler of the program catches the GreenletExit of its users; another exception took its place; those who wait for
    an answer have set no timeout; all users have ended, and one greenlet still waits for others, of whom none is left;
    users go on after the stop in whom nobody has raised a GreenletExit; a native thread of the program runs beside the
    event loop's; the backend has answered all that reached it; greenlets wait to begin, and their event loop does not
    turn; all users have ended, and the process has not; workers of gevent's thread pools are at something else than
    names to be resolved.
    """

    EXIT_CAUGHT = "exit-caught"
    EXIT_REPLACED = "exit-replaced"
    NO_TIMEOUT = "no-timeout"
    LEFT_WAITING = "left-waiting"
    NOT_TOLD = "not-told"
    NATIVE_THREAD = "native-thread"
    ALL_ANSWERED = "all-answered"
    UNSERVED = "unserved"
    ALL_ENDED = "all-ended"
    POOL_TAKEN = "pool-taken"


@dataclass(frozen=True, kw_only=True)
class CausePattern:
    """What must be seen together: normalised frames (``urllib3/connection.py:connect``), patterns of the output, facts.

    ``unwoken`` are frames in which somebody is parked on nothing that could wake it: a wake-up was lost.
    """

    frames: tuple[str, ...] = ()
    unwoken: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()

    @property
    def reasons(self) -> int:
        """How many things it asks for."""
        return len(self.frames) + len(self.unwoken) + len(self.output) + len(self.facts)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Which two cells of the cause's experiment show it: levels as ``--set`` takes them, by the factors' names.

    ``hangs`` shows the cause in at most ``trials`` trials, ``cured`` none of that in so many.
    """

    hangs: Mapping[str, str]
    cured: Mapping[str, str]
    trials: int = 2


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What makes a cause likely beside its versions, as far as packages and a command show it. All that is given holds.

    ``packages``: one of these distributions is installed; ``without``: none of these is. ``command``: one of these
    words is in the command, a program by its name (``locust``) or an option without its value (``--processes``).
    """

    packages: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def are_given(self) -> bool:
        """Whether there are any: without them nothing can make a cause likely."""
        return bool(self.packages or self.without or self.command)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A known cause; ``classes`` are hang classes, or ``crash`` and ``failing`` for verdicts that are not a hang.

    ``packages`` maps distributions to the versions concerned. ``cure`` is one that ``shown_by`` shows when it is run:
    an experiment of this program. ``upstream`` are the threads where it is discussed. ``needs`` is what it takes beside
    these versions, "" where they alone decide; ``shows`` is how it shows. ``cures`` are requirements, or steps, one of
    which suffices. ``summary`` is the title in a few words, for a line of an answer. ``look_alike`` is what might be
    taken for it and is not, ``claim`` how its experiment shows it, None where nothing does. ``likely`` are conditions
    that make it likely where its versions make it possible. ``python`` are the interpreters that can have it.
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
    look_alike: str = ""
    claim: Claim | None = None
    likely: Conditions = Conditions()
    python: SpecifierSet = field(default_factory=SpecifierSet)

    def concerns(self, versions: Mapping[str, str]) -> bool:
        """Whether every package of the cause is among ``versions``, in one that it concerns."""
        return _concerned(self, versions) is not None


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What was seen of a trial: its hang class or verdict, versions, normalised frames that matter, output, facts."""

    kind: str
    versions: Mapping[str, str]
    frames: Collection[str]
    unwoken: Collection[str] = ()
    output: str = ""
    facts: Collection[Fact] = ()


def match(causes: Sequence[Cause], seen: Sighting) -> CauseMatch | None:
    """The cause that fits what was seen, the one with most reasons when there are several; None when it is new."""
    found = [hit for cause in causes if (hit := _match(cause, seen)) is not None]
    return max(found, key=_reasons, default=None)


def _reasons(hit: CauseMatch) -> int:
    return sum(map(len, (hit.frames, hit.unwoken, hit.lines, hit.facts, hit.versions)))


def _match(cause: Cause, seen: Sighting) -> CauseMatch | None:
    if seen.kind not in cause.classes:
        return None
    concerned = _concerned(cause, seen.versions)
    pieces = [found for piece in cause.evidence if (found := _found(piece, seen)) is not None]
    if concerned is None or not pieces:
        return None
    most = max(pieces, key=lambda found: found.reasons)
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
        facts=tuple(fact.value for fact in most.facts),
        versions=concerned,
    )


def _concerned(cause: Cause, there: Mapping[str, str]) -> tuple[tuple[str, str, str], ...] | None:
    """Each package of the cause with its version here and those that are concerned; None when one is not."""
    versions = {canonicalize_name(name): version for name, version in there.items()}
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
    if not has_frames or not all(lines) or not set(piece.facts) <= set(seen.facts):
        return None
    return replace(piece, output=tuple(line[0] for line in lines if line))
