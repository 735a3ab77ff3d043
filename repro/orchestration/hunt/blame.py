"""Finds, from an environment that hangs and one that does not, the package and release to blame, and the smallest fix.

    Reduction over sets of packages ─▶ a Hunt through the releases of each guilty one ─▶ Accusation

Trials are kept by cell, and sets that resolve to the same packages share a cell: what was tried once, here or before an
interruption, is not tried again.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from packaging.version import Version

from repro.answer import BlameAnswer, GuiltyPackage
from repro.core.search.reduction import BlameStep, Culprits, Outcome, Packages, Reduction, StepKind
from repro.errors import UnreachableError, UntestableError
from repro.model import Cell, Trial, Verdict
from repro.orchestration.hunt.hunt import Found, Hunt
from repro.orchestration.hunt.mixture import PYTHON, Mixer, PackageChange
from repro.orchestration.hunt.probes import (
    IN_VAIN,
    MOST_APART,
    Candidate,
    HuntedHang,
    Patience,
    Probe,
    first_ended,
    told,
)
from repro.world.environments.releases import Release


@dataclass(frozen=True, kw_only=True)
class Accusation:
    """The result of a blame, with all probes."""

    answer: BlameAnswer
    probes: tuple[Probe, ...]


@dataclass
class Blaming:
    """A blame under way; ``probe`` makes a trial of a cell, ``releases_of`` lists a package's releases from the oldest.

    ``keep``, ``jobs``, ``build_ahead``, ``cancel``, ``tick`` and ``reason_of`` are those of a ``Hunt``; a cell that is
    kept may be a new one.
    """

    mixer: Mixer
    probe: Callable[[Cell, int], Trial]
    releases_of: Callable[[str], Sequence[Release]]
    keep: Callable[[Cell, Trial], object] = lambda _cell, _trial: None
    confidence: float = 0.95
    most_trials: int = 200
    jobs: int = 1
    cancel: Callable[[], object] = lambda: None
    tick: Callable[[], object] = lambda: None
    build_ahead: Callable[[Cell], object] = lambda _: None
    on_step: Callable[[BlameStep], None] = lambda _: None
    on_probe: Callable[[Probe], None] = lambda _: None
    reason_of: Callable[[Trial], str] = told
    _trials: dict[str, list[Trial]] = field(default_factory=lambda: defaultdict(list))
    _mixed: dict[Packages, Cell | None] = field(default_factory=dict)
    _taken: Counter[Packages] = field(default_factory=Counter)
    _probes: list[Probe] = field(default_factory=list)
    _hunted: HuntedHang = field(default_factory=HuntedHang)
    _patience: Patience = field(default_factory=Patience)

    def run(self, finished: Sequence[Trial] = ()) -> Accusation:
        """Reduce the packages, then search their releases; ``finished`` holds the trials of a resumed run."""
        for trial in sorted(finished, key=lambda trial: (trial.cell_id, trial.number)):
            self._trials[trial.cell_id].append(trial)
        self._look_at_the_bad_end()
        reduction = Reduction(
            changed=self._likeliest_first(),
            trial=self._outcome,
            confidence=self._of_each_half,
            most_trials=self.most_trials,
            on_step=self.on_step,
        )
        blame = reduction.run()
        guilty = tuple(
            self._guilty(name, culprits, left=max(self.most_trials - reduction.trials, 0))
            for culprits in blame.culprits
            for name in culprits.packages
        )
        answer = BlameAnswer(
            outcome=blame.kind,
            changed=tuple(self.mixer.changes.values()),
            packages=guilty,
            culprits=tuple(one.packages for one in blame.culprits),
            cure=blame.cure,
            cure_confidence=blame.cure_confidence,
            hangs=blame.hangs,
            trials=blame.trials,
            untestable_end=blame.untestable_end,
            unresolvable=sum(cell is None for cell in self._mixed.values()),
        )
        return Accusation(answer=answer, probes=tuple(self._probes))

    @property
    def _of_each_half(self) -> float:
        """What the package, and then its release, must be sure by, for the two together to be as sure as was asked."""
        return math.sqrt(self.confidence)

    # Which packages

    def _look_at_the_bad_end(self) -> None:
        """One trial, for its stacks to say which packages are likely; the reduction takes it for its first."""
        self.on_step(BlameStep(StepKind.BAD_END))
        cell = self._cell_of(frozenset(self.mixer.changes))
        if cell is not None:
            self._trial(cell, 0)

    def _likeliest_first(self) -> tuple[str, ...]:
        """The packages whose code is in the hang's stacks, or which its known cause names; then the others."""
        seen = self._hunted.first.modules if self._hunted.first else ()
        return tuple(sorted(self.mixer.changes, key=lambda name: (name.replace("-", "_") not in seen, name)))

    def _outcome(self, packages: Packages) -> Outcome:
        """One trial of a set that counts; what neither hangs alike nor is clean is tried again, then given up."""
        cell = self._cell_of(packages)
        if cell is None:
            return Outcome.UNRESOLVABLE
        apart = 0
        while apart < MOST_APART:
            probe = self._trial(cell, self._taken[packages])
            self._taken[packages] += 1
            apart += probe.trial.verdict not in IN_VAIN
            if probe.hang is not None:
                return Outcome.HANG if probe.hang else Outcome.CLEAN
            if probe.trial.verdict is Verdict.UNTESTABLE:
                break
        return Outcome.UNRESOLVABLE

    def _cell_of(self, packages: Packages) -> Cell | None:
        if packages not in self._mixed:
            try:
                self._mixed[packages] = self.mixer.mixed(packages)
            except UnreachableError:
                raise
            except UntestableError:
                self._mixed[packages] = None
        return self._mixed[packages]

    def _trial(self, cell: Cell, index: int) -> Probe:
        """The cell's trial of that index, made unless it is there."""
        made = self._trials[cell.id]
        is_new = index >= len(made)
        if is_new:
            made.append(self._made(cell, number=1 + max((trial.number for trial in made), default=0)))
        trial = made[index]
        hang = self._hunted.meaning(trial)
        probe = Probe(Candidate(name=cell.label, released=None, cell=cell), trial, hang)
        if is_new or not any(known.trial is trial for known in self._probes):
            self._take(probe)
        return probe

    def _made(self, cell: Cell, *, number: int) -> Trial:
        trial = self._awaited(cell, number)
        self.keep(cell, trial)
        self._patience.take(trial, reason_of=self.reason_of)
        return trial

    def _awaited(self, cell: Cell, number: int) -> Trial:
        """A trial in its own thread, so that this one can show how far it has come."""
        with ThreadPoolExecutor(1, thread_name_prefix="probe") as pool:
            future = pool.submit(self.probe, cell, number)
            try:
                first_ended([future], tick=self.tick)
            except BaseException:
                self.cancel()  # else the pool would wait for the trial's own end
                raise
        return future.result()

    def _take(self, probe: Probe) -> None:
        self._probes.append(probe)
        self.on_probe(probe)

    # Which release

    def _guilty(self, name: str, culprits: Culprits, *, left: int) -> GuiltyPackage:
        change = self.mixer.changes[name]
        candidates = self._candidates(change, frozenset(culprits.packages))
        found = self._hunt(name, candidates, left) if candidates else None
        sure = found.answer.confidence if found and found.answer.is_settled else 1.0
        release, previous = (
            (found.named(found.answer.index), found.named(found.answer.previous)) if found else (None, None)
        )
        return GuiltyPackage(
            change=change,
            confidence=culprits.confidence * sure,
            release=release.name if release else None,
            previous=previous.name if previous else None,
            released=release.released if release else None,
            together_with=tuple(other for other in culprits.packages if other != name),
            is_tied=name in culprits.tied,
            has_releases=found is not None,
        )

    def _candidates(self, change: PackageChange, culprits: Packages) -> list[Candidate]:
        """From the good side's release to the one that hangs; empty where there is no way from one to the other."""
        bad = self._cell_of(culprits)
        if change.package == PYTHON or change.good is None or change.bad is None or bad is None:
            return []
        good = self._cell_of(culprits - {change.package})
        first, last = Version(change.good), Version(bad.environment.pins.get(change.package, change.bad))
        low, high = sorted((first, last))
        dates = {one.version: one.released for one in self.releases_of(change.package) if low <= one.version <= high}
        ends = {first: good, last: bad}
        versions = sorted({*dates, first, last}, reverse=first > last)
        return [
            Candidate(
                name=str(version),
                released=dates.get(version),
                cell=ends.get(version) or self.mixer.candidate(culprits, change.package, str(version)),
            )
            for version in versions
        ]

    def _hunt(self, name: str, candidates: Sequence[Candidate], left: int) -> Found:
        self.on_step(BlameStep(StepKind.RELEASES, (name,), tuple(candidate.name for candidate in candidates)))
        known = [trial for candidate in candidates for trial in self._trials[candidate.cell.id]]
        seen = {id(trial) for trial in known}

        pinned: dict[str, Cell] = {}

        def probe(cell: Cell, number: int) -> Trial:
            pinned[cell.id] = self.mixer.pinned(cell)
            return self.probe(pinned[cell.id], number)

        def keep(trial: Trial) -> None:
            self._trials[trial.cell_id].append(trial)
            self.keep(pinned[trial.cell_id], trial)

        def say(probe: Probe, _belief: object) -> None:
            if id(probe.trial) not in seen or not any(known.trial is probe.trial for known in self._probes):
                self._take(probe)

        return Hunt(
            candidates=candidates,
            probe=probe,
            keep=keep,
            confidence=self._of_each_half,
            most_trials=left + len(known),
            jobs=self.jobs,
            cancel=self.cancel,
            tick=self.tick,
            build_ahead=lambda cell: self.build_ahead(self.mixer.pinned(cell)),
            on_probe=say,
            reason_of=self.reason_of,
        ).run(known)
