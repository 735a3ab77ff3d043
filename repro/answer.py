"""The request and the answer of a bisection or a blame, as stored with its run. Imports nothing of ``repro``.

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
    """Whether to find the first release that hangs, or the first that no longer does."""

    BAD = "bad"
    FIXED = "fixed"


class AnswerKind(StrEnum):
    """The kinds of answer, as named in the JSON document."""

    FIRST_BAD = "first-bad"
    FIRST_FIXED = "first-fixed"
    NO_CHANGE = "no-change"
    UNKNOWN = "unknown"


class BlameKind(StrEnum):
    """The kinds of result of a reduction over sets of packages."""

    FOUND = "found"
    GOOD_HANGS = "good-hangs"
    BAD_IS_CLEAN = "bad-is-clean"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class KeptProbe:
    """One trial of a hunt: the release it tried, and whether it counts.

    ``hang`` is True for a hang of the kind that is hunted, False for clean, None for what says neither.
    """

    release: str
    cell_id: str
    number: int
    hang: bool | None


@dataclass(frozen=True, kw_only=True)
class EarlierWords:
    """The answer as an older version stored it: as sentences, not as records."""

    sentence: str
    block: str


@dataclass(frozen=True, kw_only=True)
class VersionChange:
    """A package that differs between two sides, with its version on each; None if it is not installed there."""

    package: str
    good: str | None
    bad: str | None


# A bisection


@dataclass(frozen=True, kw_only=True)
class BisectionRequest:
    """What distinguishes a bisection from others with the same plan; ``days`` is the text given to ``--date``."""

    package: str | None
    good: str | None
    bad: str | None
    find: Direction
    days: str | None
    pre: bool
    yanked: bool


@dataclass(frozen=True, kw_only=True)
class HuntedRange:
    """The factor to search, its levels from oldest to newest with their dates if known, and the ends to start from."""

    asked: BisectionRequest
    factor: str
    released: Mapping[str, date | None]
    window: tuple[int, int] | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        """The releases or days, oldest first."""
        return tuple(self.released)


@dataclass(frozen=True, kw_only=True)
class ReleaseTrials:
    """A release or a day: its date, and how many of its counted trials hung."""

    name: str
    released: date | None = None
    hangs: int = 0
    trials: int = 0


@dataclass(frozen=True, kw_only=True)
class BisectionAnswer:
    """The answer of a bisection: ``package`` is the searched factor, ``releases`` the range, oldest first.

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
        """The release of this name."""
        return next((release for release in self.releases if release.name == name), None)


@dataclass(frozen=True, kw_only=True)
class BisectionRecord:
    """A bisection as stored with its run; ``cut_short`` says why it did not finish.

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
    """A package that the hang needs, and the release since which it does.

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
        """Whether the release is known, or there is none to find."""
        return not self.has_releases or self.release is not None


@dataclass(frozen=True, kw_only=True)
class BlameAnswer:
    """The answer of a blame: each guilty package, ``culprits`` as the sets that hang, and the packages to downgrade.

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
        """The confidence of the least certain package."""
        return min((one.confidence for one in self.packages), default=0.0)


@dataclass(frozen=True, kw_only=True)
class BlameRecord:
    """A blame as stored with its run; ``cut_short`` says why it did not finish."""

    good: End
    bad: End
    answer: BlameAnswer | None = None
    probes: tuple[KeptProbe, ...] = ()
    cut_short: str = ""
    words: EarlierWords | None = None


HuntRecord = BisectionRecord | BlameRecord
