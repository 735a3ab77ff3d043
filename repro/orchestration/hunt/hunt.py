"""Searches for the release, or the day, since which it hangs: probes candidates until the answer is certain.

    candidates ─▶ next probes ─▶ trials, each kept at once ─▶ what they say ─▶ … ─▶ Found

The search itself is ``core.bisection``; here its probes become trials, and only the *same* hang counts: that of the
first that was seen. Whatever else a trial came to is shown apart. Where nobody has said where the range begins or
ends, the hunt starts with a small one and goes outward:

    ················[good? ── bad]      the good end hangs too: twice as far back
    ········[good? ────────── bad]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property

from repro.answer import AnswerKind, BisectionAnswer, Direction, ReleaseTrials, VersionChange
from repro.core.search.bisection import Answer, Bisection
from repro.model import Cell, Trial, Verdict
from repro.orchestration.hunt.probes import (
    IN_VAIN,
    MOST_APART,
    Candidate,
    HuntedHang,
    Patience,
    Probe,
    first_ended,
    told,
    weights,
)

TRIALS_OF_GOOD_END = 2
TRIALS_OUTWARD = 2
"""Clean trials of an end that should hang, after which a hunt that may go on outward does."""


@dataclass(frozen=True)
class Belief:
    """The likeliest answer so far, a release or None for "nothing changed", and its probability."""

    release: str | None
    probability: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """The result of a hunt: the answer, all probes, the range, and whether it stopped at the limit of trials."""

    answer: Answer
    probes: tuple[Probe, ...]
    candidates: tuple[Candidate, ...]
    is_exhausted: bool = False

    def named(self, index: int | None) -> Candidate | None:
        """The candidate at an index of the answer."""
        return None if index is None else self.candidates[index]

    def answered(self, package: str) -> BisectionAnswer:
        """The answer with the names of releases; ``package`` is the searched factor."""
        answer = self.answer
        release, previous = self.named(answer.index), self.named(answer.previous)
        return BisectionAnswer(
            kind=answer.kind,
            package=package,
            confidence=answer.confidence,
            releases=tuple(self._trials_of(candidate) for candidate in self.candidates),
            release=release.name if release else None,
            previous=previous.name if previous else None,
            untestable=tuple(self.candidates[index].name for index in answer.untestable),
            candidates=tuple(self.candidates[index].name for index in answer.candidates),
            always=answer.always,
            is_exhausted=self.is_exhausted,
            changed=_changed(self._versions_of(previous), self._versions_of(release)),
        )

    def _trials_of(self, candidate: Candidate) -> ReleaseTrials:
        of_it = [probe.hang for probe in self.probes if probe.candidate.name == candidate.name]
        counted = [hang for hang in of_it if hang is not None]
        return ReleaseTrials(name=candidate.name, released=candidate.released, hangs=sum(counted), trials=len(counted))

    def _versions_of(self, candidate: Candidate | None) -> Mapping[str, str]:
        """What was installed for a candidate; nothing where it had no environment."""
        trials = (probe.trial for probe in self.probes if probe.candidate is candidate)
        return next((trial.versions for trial in trials if trial.versions), {})


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[VersionChange, ...]:
    """What is installed differently; nothing where one of the two is not known."""
    if not before or not after:
        return ()
    return tuple(
        VersionChange(package=name, good=before.get(name), bad=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


@dataclass
class Hunt:
    """A hunt under way. ``probe`` runs a trial of a cell; it is called from up to ``jobs`` threads at once.

    ``keep`` is told of each new trial, in the hunt's own thread; ``build_ahead`` which cells may come next; ``cancel``
    that the trials under way must end; ``tick`` that time has passed. ``most_trials`` are those of environments that
    could be made. ``window`` is where to begin among the candidates, first and last; beyond it the hunt goes outward.
    ``reason_of`` words what a trial came to.
    """

    candidates: Sequence[Candidate]
    probe: Callable[[Cell, int], Trial]
    keep: Callable[[Trial], object] = lambda _: None
    direction: Direction = Direction.BAD
    confidence: float = 0.95
    most_trials: int = 60
    jobs: int = 1
    window: tuple[int, int] | None = None
    build_ahead: Callable[[Cell], object] = lambda _: None
    cancel: Callable[[], object] = lambda: None
    tick: Callable[[], object] = lambda: None
    on_probe: Callable[[Probe, Belief], None] = lambda _probe, _belief: None
    reason_of: Callable[[Trial], str] = told
    _probes: list[Probe] = field(default_factory=list)
    _under_way: dict[Future[Trial], int] = field(default_factory=dict)
    _hunted: HuntedHang = field(default_factory=HuntedHang)
    _patience: Patience = field(default_factory=Patience)

    def run(self, finished: Sequence[Trial] = ()) -> Found:
        """Probe until the answer is certain or ``most_trials`` are made; ``finished`` are the trials of a resumed run.

        Raises:
            BackendError: trial after trial comes to nothing, and no release is to blame.
        """
        self._low, self._high = self.window or (0, len(self.candidates) - 1)
        for trial in sorted(finished, key=lambda trial: trial.started):
            if trial.cell_id in self._by_cell:
                self._take(self._by_cell[trial.cell_id], trial)
        with ThreadPoolExecutor(self.jobs, thread_name_prefix="probe") as pool:
            try:
                self._search(pool)
                self._look_at_the_good_end(pool)
            except BaseException:
                self.cancel()
                for future in wait(self._under_way).done:
                    if future.exception() is None:
                        self.keep(future.result())
                raise
        answer = self._state().answer()
        return Found(
            answer=answer,
            probes=tuple(self._probes),
            candidates=tuple(self.candidates[self._low : self._high + 1]),
            is_exhausted=not answer.is_settled and self._trials_left() <= 0,
        )

    @cached_property
    def _by_cell(self) -> dict[str, int]:
        return {candidate.cell.id: index for index, candidate in enumerate(self.candidates)}

    # Trials

    def _search(self, pool: ThreadPoolExecutor) -> None:
        while True:
            self._go_outward()
            self._begin(pool)
            if not self._under_way:
                return
            # Those under way are waited for even when the answer is certain without them: a trial that takes long is
            # likelier a hang than one that does not.
            for future in first_ended(self._under_way, tick=self.tick):
                self._end(self._under_way.pop(future), future.result())

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        state = self._state()
        free = min(self.jobs, self._trials_left()) - len(self._under_way)
        if state.answer().is_settled or free <= 0:
            return
        begun = [index - self._low for index in self._under_way.values()]
        for place in state.next_probes(free, under_way=begun):
            self._start(pool, place + self._low)
            for hang in (True, False):
                for after in state.observe(place, hang=hang).next_probes(1, under_way=begun):
                    self.build_ahead(self.candidates[after + self._low].cell)

    def _start(self, pool: ThreadPoolExecutor, index: int) -> None:
        cell = self.candidates[index].cell
        numbers = [probe.trial.number for probe in self._probes if probe.candidate.cell.id == cell.id]
        number = 1 + max(numbers, default=0) + list(self._under_way.values()).count(index)
        self._under_way[pool.submit(self.probe, cell, number)] = index

    def _end(self, index: int, trial: Trial) -> None:
        self.keep(trial)
        self._take(index, trial)
        self._patience.take(trial, reason_of=self.reason_of)

    def _look_at_the_good_end(self, pool: ThreadPoolExecutor) -> None:
        """Where nothing hangs at the bad end, the two may have been exchanged: the answer stays, and can say so."""
        answer = self._state().answer()
        if answer.kind is not AnswerKind.NO_CHANGE or answer.always:
            return
        index = self._low if self.direction is Direction.BAD else self._high
        while True:
            seen = [probe for probe in self._probes if probe.candidate is self.candidates[index]]
            if len(seen) >= TRIALS_OF_GOOD_END or any(probe.trial.hang for probe in seen):
                return
            self._start(pool, index)
            (future,) = first_ended(self._under_way, tick=self.tick)
            self._end(self._under_way.pop(future), future.result())

    def _trials_left(self) -> int:
        """A release that cannot be installed costs none."""
        return self.most_trials - sum(probe.trial.verdict is not Verdict.UNTESTABLE for probe in self._probes)

    # What they say

    def _state(self) -> Bisection:
        """The search over the range as it is now, with what all probes say of it."""
        state = Bisection(self._high - self._low + 1, confidence=self.confidence, direction=self.direction)
        apart: dict[int, int] = {}
        weight_of = weights(self._probes)
        for place, probe in enumerate(self._probes):
            index = self._by_cell[probe.candidate.cell.id]
            if not self._low <= index <= self._high:
                continue
            if probe.hang is not None:
                state = state.observe(index - self._low, hang=probe.hang, weight=weight_of.get(place, 1.0))
            elif probe.trial.verdict not in IN_VAIN:
                apart[index] = apart.get(index, 0) + 1
                if probe.trial.verdict is Verdict.UNTESTABLE or apart[index] >= MOST_APART:
                    state = state.set_aside(index - self._low)
        return state

    def _take(self, index: int, trial: Trial) -> None:
        probe = Probe(self.candidates[index], trial, self._hunted.meaning(trial))
        self._probes.append(probe)
        self.on_probe(probe, self._belief())

    def _belief(self) -> Belief:
        posterior = self._state().posterior()
        best = max(range(len(posterior)), key=posterior.__getitem__)
        is_named = best < len(posterior) - 1
        return Belief(self.candidates[self._low + best].name if is_named else None, posterior[best])

    # Outward

    def _go_outward(self) -> None:
        """Double the range on the side whose end turns out to be none, as far as there are candidates."""
        while True:
            width, last = self._high - self._low + 1, len(self.candidates) - 1
            state = self._state()
            is_wanted = self._is_clean_end_bad(state), self._is_hanging_end_clean(state)
            back, on = is_wanted if self.direction is Direction.BAD else reversed(is_wanted)
            is_stuck = state.ends is None
            if (back or is_stuck) and self._low > 0:
                self._low = max(self._low - width, 0)
            elif (on or is_stuck) and self._high < last:
                self._high = min(self._high + width, last)
            else:
                return

    def _is_clean_end_bad(self, state: Bisection) -> bool:
        answer = state.answer()
        return answer.kind is AnswerKind.NO_CHANGE and answer.always

    def _is_hanging_end_clean(self, state: Bisection) -> bool:
        if state.ends is None or any(seen.hang for seen in state.observations):
            return False
        return state.trials_of(state.ends[1])[1] >= TRIALS_OUTWARD
