"""What a hunt was asked for and what it came to, as it is kept with its run. Imports nothing of ``repro``.

    a bisection   BisectionRecord ──▶ HuntedRange, BisectionAnswer ──▶ n ReleaseTrials
    a blame       BlameRecord     ──▶ two End,     BlameAnswer     ──▶ n GuiltyPackage
                  both            ──▶ n KeptProbe, each of a trial of the run

Their English is made in ``presentation/hunt/answers.py`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Direction(StrEnum):
    """What is looked for: the first release that hangs, or the first that no longer does."""

    BAD = "bad"
    FIXED = "fixed"


class AnswerKind(StrEnum):
    """What a hunt came to, as in the JSON document."""

    FIRST_BAD = "first-bad"
    FIRST_FIXED = "first-fixed"
    NO_CHANGE = "no-change"
    UNKNOWN = "unknown"


class BlameKind(StrEnum):
    """What a reduction over sets of packages came to."""

    FOUND = "found"
    GOOD_HANGS = "good-hangs"
    BAD_IS_CLEAN = "bad-is-clean"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class KeptProbe:
    """A trial of the run that a hunt made: of which release, and whether it counts.

    ``hang`` is True for a hang of the kind that is hunted, False for clean, None for what says neither.
    """

    release: str
    cell_id: str
    number: int
    hang: bool | None


@dataclass(frozen=True, kw_only=True)
class EarlierWords:
    """The answer's sentence and its text to paste, by a repro that kept these and not what they are made from."""

    sentence: str
    block: str


@dataclass(frozen=True, kw_only=True)
class VersionChange:
    """A package that differs between two sides: its versions, None where a side has none."""

    package: str
    good: str | None
    bad: str | None


# A bisection


@dataclass(frozen=True, kw_only=True)
class BisectionRequest:
    """What makes a bisection another one, besides the plan: ``days`` are those of ``--date``, as typed."""

    package: str | None
    good: str | None
    bad: str | None
    find: Direction
    days: str | None
    pre: bool
    yanked: bool


@dataclass(frozen=True, kw_only=True)
class HuntedRange:
    """What is hunted: the factor, its levels from the oldest on with their dates where known, and where to begin."""

    asked: BisectionRequest
    factor: str
    released: Mapping[str, date | None]
    window: tuple[int, int] | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        """The releases, or the days."""
        return tuple(self.released)


@dataclass(frozen=True, kw_only=True)
class ReleaseTrials:
    """A release, or a day: when it came, and how many of its trials that count hung."""

    name: str
    released: date | None = None
    hangs: int = 0
    trials: int = 0


@dataclass(frozen=True, kw_only=True)
class BisectionAnswer:
    """What a bisection came to; ``package`` is the factor that was hunted, ``releases`` the range, the oldest first.

    ``release`` is the first bad (or first fixed) one and ``previous`` the testable one before it, both None unless the
    kind names a release; ``untestable`` are those between the two. ``candidates`` are those that the trials leave,
    likeliest first. ``always`` tells the two kinds of "no change" apart. ``is_exhausted``: it stopped because it had
    made as many trials as it may. ``changed`` is what is installed differently at the two.
    """

    kind: AnswerKind
    package: str
    confidence: float
    releases: tuple[ReleaseTrials, ...]
    release: str | None = None
    previous: str | None = None
    untestable: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    always: bool = False
    is_exhausted: bool = False
    changed: tuple[VersionChange, ...] = ()

    def of(self, name: str | None) -> ReleaseTrials | None:
        """A release of the range by its name."""
        return next((release for release in self.releases if release.name == name), None)


@dataclass(frozen=True, kw_only=True)
class BisectionRecord:
    """A bisection as its run keeps it; ``cut_short`` says why it did not come to its end.

    ``hunted`` is None in the run of an early repro, which did not keep it.
    """

    hunted: HuntedRange | None
    answer: BisectionAnswer | None = None
    probes: tuple[KeptProbe, ...] = ()
    cut_short: str = ""
    words: EarlierWords | None = None


# A blame


@dataclass(frozen=True, kw_only=True)
class End:
    """One side of a blame: its packages, its interpreter (``3.11``), and how it was named (a file, a day)."""

    name: str
    versions: Mapping[str, str]
    python: str


@dataclass(frozen=True, kw_only=True)
class GuiltyPackage:
    """A package that is needed for the hang, and since which release it does it.

    ``together_with`` are those without which it does not hang. ``is_tied``: the others cannot be installed without it.
    ``has_releases`` is false for an interpreter and a package that one side lacks: its two sides are all there is to
    say.
    """

    change: VersionChange
    confidence: float
    release: str | None = None
    previous: str | None = None
    released: date | None = None
    together_with: tuple[str, ...] = ()
    is_tied: bool = False
    has_releases: bool = True

    @property
    def is_named(self) -> bool:
        """Whether its release is known, or there is none to be known."""
        return not self.has_releases or self.release is not None


@dataclass(frozen=True, kw_only=True)
class BlameAnswer:
    """What a blame came to: each guilty package, ``culprits`` as the sets that hang, and the packages to take back.

    ``hangs`` of ``trials`` are those of the end that is not as it should be; ``trials`` alone, with the outcome
    UNKNOWN, those after which it stopped; ``untestable_end`` is the side that cannot be tested. ``unresolvable``
    environments could not be installed.
    """

    outcome: BlameKind
    changed: tuple[VersionChange, ...]
    packages: tuple[GuiltyPackage, ...] = ()
    culprits: tuple[tuple[str, ...], ...] = ()
    cure: tuple[str, ...] = ()
    cure_confidence: float = 0.0
    hangs: int = 0
    trials: int = 0
    untestable_end: str = ""
    unresolvable: int = 0

    @property
    def kind(self) -> AnswerKind:
        """As in the JSON document: ``first-bad`` only where every guilty package's release is known."""
        if self.outcome in {BlameKind.GOOD_HANGS, BlameKind.BAD_IS_CLEAN}:
            return AnswerKind.NO_CHANGE
        is_named = all(one.is_named for one in self.packages)
        return AnswerKind.FIRST_BAD if self.outcome is BlameKind.FOUND and is_named else AnswerKind.UNKNOWN

    @property
    def confidence(self) -> float:
        """That of the package that is least sure."""
        return min((one.confidence for one in self.packages), default=0.0)


@dataclass(frozen=True, kw_only=True)
class BlameRecord:
    """A blame as its run keeps it; ``cut_short`` says why it did not come to its end."""

    good: End
    bad: End
    answer: BlameAnswer | None = None
    probes: tuple[KeptProbe, ...] = ()
    cut_short: str = ""
    words: EarlierWords | None = None


HuntRecord = BisectionRecord | BlameRecord
