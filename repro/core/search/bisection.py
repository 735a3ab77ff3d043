"""The search for the release at which a hang begins (or ends), when it comes only sometimes.

    state = Bisection(len(releases))
    while not state.answer().is_settled:
        for index in state.next_probes(jobs):
            state = state.observe(index, hang=…)      # or state.set_aside(index), when it cannot be tested

A state never changes; each observation makes a new one. Releases are numbered from 0, the oldest. The search
goes through

    the bad end hangs? ──▶ the good end is clean, once? ──▶ the most informative trial, again and again
                                                               │ one release is as certain as was asked
                                                               ▼
             answer ◀── it and the one before it are tried again, the clean side until it is sure

and back to the search when the trials made last bring doubt. One model covers it all (`change_point`): releases before
the change never hang, those from it on hang at one unknown rate; "no change" is a hypothesis beside the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from repro.answer import AnswerKind, Direction
from repro.core.intervals import CONFIDENCE

if TYPE_CHECKING:  # numpy would cost the start of every command a tenth of a second
    from repro.core.search.change_point import Counts, Floats, Prior

TRIALS_TO_CONFIRM = 2
MOST_OF_CLEAN_SIDE = 0.5
"""The share of the doubt left to an answer that "every release hangs, and the clean trials missed it" may have. Half of
it, because the change compared with that was chosen after the trials; with all of it a hang that was always there was
called a change in 8 of 100 searches of few releases."""
LEAST_GAIN = 0.02
"""In nats: a trial beside others that is expected to tell less is not worth waiting for at the end."""
MOST_FUTURES = 64
MOST_WEIGHT = 3


@dataclass(frozen=True)
class Observation:
    """One trial of a release; ``hang`` is None when the release cannot be tested.

    ``weight`` is the exposure of a clean one, the usual one being 1: a trial that did a tenth of the others'
    operations says little of its release.
    """

    index: int
    hang: bool | None
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the trials say so far.

    ``index`` is the first bad (or first fixed) release and ``previous`` the testable one before it, both None unless
    the kind names a release; ``untestable`` are the releases between the two: the change may have come with any of
    them. ``always`` tells the two kinds of "no change" apart: every release hangs, or none does. ``confidence`` is the
    probability of this answer, of the likeliest one while the kind is unknown. ``candidates`` are the releases that
    the trials leave, likeliest first: the change came with one of them, or there is none, with the confidence asked
    for.
    """

    kind: AnswerKind
    confidence: float
    index: int | None = None
    previous: int | None = None
    untestable: tuple[int, ...] = ()
    always: bool = False
    candidates: tuple[int, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether the answer is as certain as was asked."""
        return self.kind is not AnswerKind.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class _Tally:
    """The trials as the arithmetic wants them: testable releases only, from the end that should not hang.

    ``cleans`` are counted in ``PARTS`` of a trial of the usual exposure.
    """

    releases: tuple[int, ...]
    hangs: Counts
    cleans: Counts


@dataclass(frozen=True)
class Bisection:
    """The state of a search over ``n`` releases: what was observed, and what follows from it.

    ``confidence`` is the probability that an answer must have. ``prior`` is None for the calibrated one.
    """

    n: int
    confidence: float = field(default=CONFIDENCE, kw_only=True)
    direction: Direction = field(default=Direction.BAD, kw_only=True)
    prior: Prior | None = field(default=None, kw_only=True)
    observations: tuple[Observation, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"a bisection needs at least two releases, not {self.n}: widen the range")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"the confidence must be at least 0.5 and below 1, not {self.confidence}")

    # What was seen

    def observe(self, index: int, *, hang: bool, weight: float = 1.0) -> Bisection:
        """The state after one trial of a release that hung, or was clean with an exposure of so many usual ones."""
        return self._with(Observation(index, hang, weight))

    def set_aside(self, index: int) -> Bisection:
        """The state after a release turned out untestable: it is stepped past, and never counts as good or bad."""
        return self._with(Observation(index, None))

    def trials_of(self, index: int) -> tuple[int, int]:
        """How many trials of a release hung, and how many were made that count."""
        hangs = [seen.hang for seen in self.observations if seen.index == index and seen.hang is not None]
        return sum(hangs), len(hangs)

    def _with(self, seen: Observation) -> Bisection:
        if not 0 <= seen.index < self.n:
            raise IndexError(f"release {seen.index} is not among the {self.n}")
        return replace(self, observations=(*self.observations, seen))

    @property
    def ends(self) -> tuple[int, int] | None:
        """The testable releases that should not hang and should, farthest apart; None when there are fewer than two."""
        releases = self._tally.releases
        return (releases[0], releases[-1]) if len(releases) > 1 else None

    # What follows

    def posterior(self) -> tuple[float, ...]:
        """The probability, for each release, that the change came with it, and last the probability of no change.

        An untestable release has 0: a change that came with it shows in the next testable one.
        """
        tally = self._tally
        if len(tally.releases) < 2:
            return (*[0.0] * self.n, 1.0)
        found = [0.0] * (self.n + 1)
        last = len(tally.releases)
        for hypothesis, probability in enumerate(self._belief):
            release = self.n if hypothesis in (0, last) else self._named(hypothesis)[0]
            found[release] += float(probability)
        return tuple(found)

    def answer(self) -> Answer:
        """What the trials say so far: kind ``unknown`` until it is certain and confirmed."""
        if len(self._tally.releases) < 2:
            return Answer(kind=AnswerKind.UNKNOWN, confidence=0.0)
        best = int(self._belief.argmax())
        confidence = float(self._belief[best])
        if confidence < self.confidence or next(self._unconfirmed(best), None) is not None:
            return Answer(kind=AnswerKind.UNKNOWN, confidence=confidence, candidates=self._candidates())
        if best in (0, len(self._tally.releases)):
            return Answer(kind=AnswerKind.NO_CHANGE, confidence=confidence, always=best == 0)
        index, previous = self._named(best)
        return Answer(
            kind=AnswerKind.FIRST_BAD if self.direction is Direction.BAD else AnswerKind.FIRST_FIXED,
            confidence=confidence,
            index=index,
            previous=previous,
            untestable=tuple(range(previous + 1, index)),
            candidates=(index,),
        )

    def next_probes(self, k: int = 1, *, under_way: Sequence[int] = ()) -> tuple[int, ...]:
        """Up to ``k`` releases to try next, at once; a release may stand there twice, for two trials of it.

        ``under_way`` are those whose trials have begun: the new ones are chosen to tell most together with these. At
        least one is given while nothing is under way, none when fewer than two releases can be tested; a trial beside
        others is left out when it would tell next to nothing.
        """
        tally = self._tally
        if len(tally.releases) < 2:
            return ()
        begun = [tally.releases.index(release) for release in under_way if release in tally.releases]
        wanted = Counter(self._wanted())
        wanted.subtract(begun)
        chosen = _most_informative(self._settled_prior, tally, k, begun=begun, wanted=list(wanted.elements()))
        return tuple(tally.releases[position] for position in chosen)

    # The rules

    def _wanted(self) -> Iterator[int]:
        """The positions that the proof of the ends and of the answer asks for before all else, one for each trial."""
        tally = self._tally
        good, bad = 0, len(tally.releases) - 1
        best = int(self._belief.argmax())
        if self._belief[best] >= self.confidence:
            yield from self._unconfirmed(best)
        elif not tally.hangs.any():
            yield bad
            if self._is_untried(good):
                yield good
        elif self._is_untried(good):
            yield good

    def _unconfirmed(self, best: int) -> Iterator[int]:
        """The positions to try again before the likeliest hypothesis is given as the answer."""
        tally = self._tally
        last = len(tally.releases)
        if best == last:
            # Nothing hung: only trials of the bad end, which every hypothesis of a change concerns, can have shown
            # that.
            return
        if best == 0:
            if not tally.hangs[0]:
                yield 0
            return
        for position in (best, best - 1):
            made = self.trials_of(tally.releases[position])[1]
            yield from [position] * (TRIALS_TO_CONFIRM - made)
        if not tally.hangs[last - 1]:
            yield last - 1
        if self._is_untried(0):
            yield 0
        yield from self._proof_of_clean_side(best)

    def _proof_of_clean_side(self, best: int) -> Iterator[int]:
        """The good end's position for each trial that is still needed, if all are clean."""
        more = 0
        while self._doubt_of_clean_side(best, more) > MOST_OF_CLEAN_SIDE * (1 - self.confidence):
            yield 0
            more += 1

    def _doubt_of_clean_side(self, best: int, more: int) -> float:
        """How likely the clean trials before ``best`` and ``more`` would be if those hung at the later rate."""
        from repro.core.search.change_point import PARTS, chance_to_miss

        tally = self._tally
        return chance_to_miss(
            self._settled_prior,
            hangs=int(tally.hangs.sum()),
            cleans=int(tally.cleans[best:].sum()),
            trials=int(tally.cleans[:best].sum()) + more * PARTS,
        )

    def _is_untried(self, position: int) -> bool:
        return not self.trials_of(self._tally.releases[position])[1]

    def _candidates(self) -> tuple[int, ...]:
        found, total, last = [], 0.0, len(self._tally.releases)
        for hypothesis in (-self._belief).argsort().tolist():
            if total >= self.confidence or not self._belief[hypothesis]:
                break
            total += float(self._belief[hypothesis])
            if hypothesis not in (0, last):
                found.append(self._named(hypothesis)[0])
        return tuple(found)

    def _named(self, hypothesis: int) -> tuple[int, int]:
        """The release that a hypothesis names, and the testable one before it in time."""
        releases = self._tally.releases
        pair = releases[hypothesis], releases[hypothesis - 1]
        return pair if self.direction is Direction.BAD else (pair[1], pair[0])

    # The arithmetic

    @cached_property
    def _settled_prior(self) -> Prior:
        from repro.core.search.change_point import Prior

        return self.prior or Prior()

    @cached_property
    def _tally(self) -> _Tally:
        import numpy as np

        aside = {seen.index for seen in self.observations if seen.hang is None}
        order = range(self.n) if self.direction is Direction.BAD else range(self.n - 1, -1, -1)
        releases = tuple(index for index in order if index not in aside)
        hangs, cleans = np.zeros(self.n, dtype=np.int64), np.zeros(self.n, dtype=np.int64)
        for seen in self.observations:
            if seen.hang:
                hangs[seen.index] += 1
            elif seen.hang is not None:
                cleans[seen.index] += _parts(seen.weight)
        chosen = list(releases)
        return _Tally(releases=releases, hangs=hangs[chosen], cleans=cleans[chosen])

    @cached_property
    def _belief(self) -> Floats:
        from repro.core.search.change_point import posterior

        return posterior(self._settled_prior, self._tally.hangs, self._tally.cleans)


def _parts(weight: float) -> int:
    """A clean trial in parts of a usual one: at least one, or a release would be tried for ever, and a few at most.

    However much it was exposed to, it is one trial, of one environment, at one moment.
    """
    from repro.core.search.change_point import PARTS

    return max(1, min(round(PARTS * weight), PARTS * MOST_WEIGHT))


def _most_informative(
    prior: Prior, tally: _Tally, k: int, *, begun: Sequence[int], wanted: Sequence[int]
) -> tuple[int, ...]:
    """The positions of up to ``k`` trials that are expected to tell most beside those begun, the wanted ones first.

    Each is chosen over the futures that those chosen before it may have; the less likely futures are dropped when
    there are too many.
    """
    futures = [_Future(1.0, tally.hangs, tally.cleans)]
    chosen = [*begun, *wanted[:k]]
    for step in range(len(begun) + k):
        if step == len(chosen):
            gains = _gains(prior, futures)
            if chosen and gains.max() < LEAST_GAIN:
                break
            chosen.append(_middle(gains))
        is_last = step == len(begun) + k - 1
        if not is_last:  # nothing is chosen over the futures of the last one
            futures = _after_trial(prior, futures, chosen[step])
    return tuple(chosen[len(begun) :])


@dataclass(frozen=True)
class _Future:
    """What the trials may have come to once those chosen so far are made, and how likely that is."""

    weight: float
    hangs: Counts
    cleans: Counts


def _gains(prior: Prior, futures: Sequence[_Future]) -> Floats:
    """For each position: by how much one more trial of it is expected to lower the entropy, over all futures."""
    import numpy as np

    from repro.core.search.change_point import information

    return np.asarray(sum(one.weight * information(prior, one.hangs, one.cleans) for one in futures))


def _after_trial(prior: Prior, futures: Sequence[_Future], position: int) -> list[_Future]:
    """Each future twice, once for either outcome of a trial of ``position``; the likeliest where they are too many."""
    import numpy as np

    from repro.core.search.change_point import PARTS, chance_to_hang

    after: list[_Future] = []
    for future in futures:
        one = np.zeros_like(future.hangs)
        one[position] = 1
        chance = float(chance_to_hang(prior, future.hangs, future.cleans)[position])
        after.append(_Future(future.weight * chance, future.hangs + one, future.cleans))
        after.append(_Future(future.weight * (1 - chance), future.hangs, future.cleans + PARTS * one))
    return sorted(after, key=lambda future: -future.weight)[:MOST_FUTURES]


def _middle(gains: Floats) -> int:
    """The position of the largest gain; the middle one of several alike."""
    import numpy as np

    best = np.flatnonzero(gains >= gains.max() - 1e-12)
    return int(best[len(best) // 2])
