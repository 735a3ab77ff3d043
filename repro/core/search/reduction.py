"""Which of the changed packages make the good environment hang, by delta debugging over hangs that come only sometimes.

A *set* is the packages that are taken from the bad side, all others staying as on the good side: the empty set is the
good end, the whole one the bad end.

    the bad end hangs? ─▶ is the good end clean? ─▶ smallest set that hangs ─▶ is there another beside it? ─▶ …
                                                                                   │ no
                                                                                   ▼
                                             smallest set that, taken back to the good side, cures the bad end

One hang shows that a set hangs. That one is clean is never certain: it is believed when its clean trials would be
unlikely if it hung as often as the sets that do, with the rate unknown (uniform before the first trial). The search
believes soon; what the answer rests on is tried again until all of it together is as sure as was asked, and when that
brings a hang to light, the search continues from there.

The minimising is ddmin: A. Zeller, R. Hildebrandt, *Simplifying and isolating failure-inducing input*, IEEE
Transactions on Software Engineering 28 (2002), with "unresolvable" as its third outcome.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations, islice, pairwise, product

from repro.answer import BlameKind
from repro.core.intervals import CONFIDENCE

Packages = frozenset[str]

DOUBT_IN_SEARCH = 0.25
MOST_CURES_TRIED = 16


class Outcome(StrEnum):
    """What a trial of a set, or all its trials, came to."""

    HANG = "hang"
    CLEAN = "clean"
    UNRESOLVABLE = "unresolvable"


class StepKind(StrEnum):
    """What is looked at next."""

    BAD_END = "bad end"
    GOOD_END = "good end"
    NECESSITY = "necessity"
    OTHERS = "others"
    CURE = "cure"
    RELEASES = "releases"


@dataclass(frozen=True)
class BlameStep:
    """A step of a blame, and the packages that it is about; ``releases`` are those that are hunted through."""

    kind: StepKind
    packages: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Culprits:
    """A set that hangs, none of whose packages can be left out, and how sure that is.

    ``tied`` are those of them without which the others cannot be installed, so that nobody knows what they do.
    """

    packages: tuple[str, ...]
    confidence: float
    tied: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Blame:
    """The answer: ``culprits``, each enough alone; ``cure``, the packages to take back.

    When it is not FOUND: ``hangs`` of ``trials`` are those of the end that is not as it should be, ``untestable_end``
    the side (``good``, ``bad``) that cannot be tested; without either, it stopped after ``trials``.
    """

    kind: BlameKind
    culprits: tuple[Culprits, ...] = ()
    cure: tuple[str, ...] = ()
    cure_confidence: float = 0.0
    hangs: int = 0
    trials: int = 0
    untestable_end: str = ""


class _GoodEndHangsError(Exception):
    """Looked at more closely, the good end hangs, and there is nothing to reduce."""


class _ExhaustedError(Exception):
    """So many trials were made that the reduction stops."""


@dataclass
class Reduction:
    """A reduction under way; ``trial`` makes one trial of a set, ``changed`` are all packages, the likeliest first.

    ``confidence`` is for every set of culprits, and for the cure; ``most_trials`` bounds all trials together.
    """

    changed: Sequence[str]
    trial: Callable[[Packages], Outcome]
    confidence: float = CONFIDENCE
    most_trials: int = 200
    on_step: Callable[[BlameStep], None] = lambda _: None
    _seen: dict[Packages, list[Outcome]] = field(default_factory=dict)

    def run(self) -> Blame:
        """Reduce until the answer is as sure as was asked, or ``most_trials`` are made."""
        culprits: list[Culprits] = []
        try:
            return self._prove_ends() or self._reduce(culprits)
        except _GoodEndHangsError:
            return self._failed(BlameKind.GOOD_HANGS, frozenset())
        except _ExhaustedError:
            return Blame(kind=BlameKind.UNKNOWN, culprits=tuple(culprits), trials=self.trials)

    def _prove_ends(self) -> Blame | None:
        """What is wrong with the ends, None when the bad one hangs and the good one is clean."""
        doubt = 1 - self.confidence
        whole = frozenset(self.changed)
        self.on_step(BlameStep(StepKind.BAD_END))
        if self._outcome(whole, doubt=doubt) is not Outcome.HANG:
            return self._failed(BlameKind.BAD_IS_CLEAN, whole)
        self.on_step(BlameStep(StepKind.GOOD_END))
        if self._outcome(frozenset(), doubt=doubt) is not Outcome.CLEAN:
            return self._failed(BlameKind.GOOD_HANGS, frozenset())
        return None

    def _reduce(self, culprits: list[Culprits]) -> Blame:
        """The culprits, which are added to ``culprits`` as they are found, and the cure."""
        left = tuple(self.changed)
        while self._outcome(frozenset(left)) is Outcome.HANG:
            found = self._smallest_that_hangs(left)
            culprits.append(found)
            left = tuple(name for name in left if name not in found.packages)
            self.on_step(BlameStep(StepKind.OTHERS, found.packages))
        cure, sure = self._smallest_cure([one.packages for one in culprits])
        return Blame(kind=BlameKind.FOUND, culprits=tuple(culprits), cure=cure, cure_confidence=sure)

    @property
    def trials(self) -> int:
        """How many trials of sets that can be resolved were made."""
        return sum(outcome is not Outcome.UNRESOLVABLE for seen in self._seen.values() for outcome in seen)

    def trials_of(self, packages: Collection[str]) -> tuple[int, int]:
        """How many trials of a set hung, and how many were made that count."""
        counted = [seen for seen in self._seen.get(frozenset(packages), ()) if seen is not Outcome.UNRESOLVABLE]
        return counted.count(Outcome.HANG), len(counted)

    def _failed(self, kind: BlameKind, packages: Packages) -> Blame:
        if Outcome.UNRESOLVABLE in self._seen[packages]:
            end = "good" if kind is BlameKind.GOOD_HANGS else "bad"
            return Blame(kind=BlameKind.UNKNOWN, untestable_end=end)
        hangs, trials = self.trials_of(packages)
        return Blame(kind=kind, hangs=hangs, trials=trials)

    # What hangs

    def _smallest_that_hangs(self, among: Sequence[str]) -> Culprits:
        """A minimal set of ``among`` that hangs, as sure as was asked that each of its packages is needed."""
        while True:
            found = self._without_pairs(smallest(among, self._hangs))
            below = {name: frozenset(found) - {name} for name in found}
            facts = {frozenset(), *below.values()}
            doubt = 1 - self.confidence ** (1 / len(facts))
            self.on_step(BlameStep(StepKind.NECESSITY, found))
            outcomes = {names: self._outcome(names, doubt=doubt) for names in facts}
            if outcomes[frozenset()] is Outcome.HANG:
                raise _GoodEndHangsError
            if Outcome.HANG not in outcomes.values():
                return Culprits(
                    found,
                    confidence=math.prod(self._sureness(names) for names in facts),
                    tied=tuple(name for name, rest in below.items() if outcomes[rest] is Outcome.UNRESOLVABLE),
                )

    def _hangs(self, packages: Packages) -> bool:
        return self._outcome(packages) is Outcome.HANG

    def _without_pairs(self, found: tuple[str, ...]) -> tuple[str, ...]:
        """The set without the pairs that only go together: neither can be left out alone, and it hangs without both."""
        whole = frozenset(found)
        tied = [name for name in found if self._outcome(whole - {name}) is Outcome.UNRESOLVABLE]
        for pair in combinations(tied, 2):
            rest = whole - set(pair)
            if rest and self._hangs(rest):
                return self._without_pairs(smallest([name for name in found if name in rest], self._hangs))
        return found

    # What cures

    def _smallest_cure(self, culprits: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], float]:
        """A minimal set without which the bad end is clean, and how sure: one of each culprit set is tried first."""
        whole = frozenset(self.changed)

        def cures(names: Packages) -> bool:
            return self._outcome(whole - names) is Outcome.CLEAN

        self.on_step(BlameStep(StepKind.CURE))
        while self._outcome(frozenset()) is not Outcome.HANG:
            hitting = [frozenset(names) for names in islice(product(*culprits), MOST_CURES_TRIED)]
            known = frozenset(name for one in culprits for name in one)
            within = next((names for names in [*hitting, known] if cures(names)), whole)
            cure = smallest([name for name in self.changed if name in within], cures)
            left = whole - frozenset(cure)
            if self._outcome(left, doubt=1 - self.confidence) is not Outcome.HANG:
                return cure, self._sureness(left)
        raise _GoodEndHangsError

    # What a set is believed to be

    def _outcome(self, packages: Packages, *, doubt: float = DOUBT_IN_SEARCH) -> Outcome:
        """The set's outcome, tried until its clean trials leave no more than ``doubt`` that it hangs anyway."""
        seen = self._seen.setdefault(packages, [])
        while True:
            if Outcome.HANG in seen:
                return Outcome.HANG
            if Outcome.UNRESOLVABLE in seen:
                return Outcome.UNRESOLVABLE
            if seen and 1 - self._sureness(packages) <= doubt:
                return Outcome.CLEAN
            if self.trials >= self.most_trials:
                raise _ExhaustedError
            seen.append(self.trial(packages))

    def _sureness(self, packages: Packages) -> float:
        """The probability that a set without a hang is clean, held as likely as not before its trials."""
        seen = self._seen[packages]
        if Outcome.UNRESOLVABLE in seen:
            return 1.0  # it is not said to be clean: it cannot be had
        hung = [trials for trials in self._seen.values() if Outcome.HANG in trials]
        hangs = sum(trials.count(Outcome.HANG) for trials in hung)
        cleans = sum(trials.count(Outcome.CLEAN) for trials in hung)
        return 1 / (1 + chance_of_missing(seen.count(Outcome.CLEAN), hangs=hangs, cleans=cleans))


def chance_of_missing(n: int, *, hangs: int, cleans: int) -> float:
    """The probability of ``n`` clean trials in a row of a set that hangs, where such sets hung and were clean so often.

    The mean of ``(1 - p)^n`` over the posterior Beta(1 + hangs, 1 + cleans) of the rate ``p``.
    """
    a, b = 1 + hangs, 1 + cleans
    return math.exp(_log_beta(a, b + n) - _log_beta(a, b))


def smallest(names: Sequence[str], holds: Callable[[Packages], bool]) -> tuple[str, ...]:
    """A set of ``names`` for which ``holds`` does, and does no longer when any one name is left out.

    ``holds`` must be true of all of them, and of none false; it is asked again for the same set, so that it should
    remember.
    """
    current, parts = tuple(names), 2
    while len(current) > 1:
        chunks = _split(current, parts)
        rests = [tuple(name for name in current if name not in chunk) for chunk in chunks] if parts > 2 else []
        smaller = next((tried for tried in (*chunks, *rests) if holds(frozenset(tried))), None)
        if smaller is not None:
            parts = 2 if smaller in chunks else max(parts - 1, 2)
            current = smaller
        elif parts == len(current):
            break
        else:
            parts = min(2 * parts, len(current))
    return current


def _split(names: tuple[str, ...], parts: int) -> list[tuple[str, ...]]:
    """``parts`` pieces, as even as can be."""
    bounds = [round(len(names) * part / parts) for part in range(parts + 1)]
    return [names[low:high] for low, high in pairwise(bounds)]


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
