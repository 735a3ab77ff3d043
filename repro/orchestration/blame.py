"""From two environments, of which one hangs, to the package that does it, its release, and what to take back.

    Reduction over sets of packages ─▶ a Hunt through the releases of each guilty one ─▶ Accusation

Trials are kept by cell, and sets that resolve to the same packages share a cell: what was tried once, here or before an
interruption, is not tried again.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.version import Version

from repro.core.search.bisection import AnswerKind
from repro.core.search.reduction import Blame, BlameKind, Culprits, Outcome, Packages, Reduction
from repro.errors import UnreachableError, UntestableError
from repro.model import Cell, Trial, Verdict
from repro.orchestration.hunt import Found, Hunt
from repro.orchestration.mixture import PYTHON, Change, Mixer
from repro.orchestration.probes import IN_VAIN, MOST_APART, Candidate, HuntedHang, Patience, Probe
from repro.world.environments.releases import Release


@dataclass(frozen=True, kw_only=True)
class Guilty:
    """A package that is needed for the hang: what it was changed from and to, and what the hunt through its releases found.

    ``together_with`` are those without which it does not hang; ``found`` is None where there are no releases to go through:
    an interpreter, and a package that one side lacks. ``is_tied``: the others cannot be installed without it.
    """

    change: Change
    together_with: tuple[str, ...]
    confidence: float
    found: Found | None = None
    is_tied: bool = False

    @property
    def release(self) -> Candidate | None:
        """The first release that hangs."""
        return self.found.named(self.found.answer.index) if self.found else None

    @property
    def previous(self) -> Candidate | None:
        """The one before it."""
        return self.found.named(self.found.answer.previous) if self.found else None


@dataclass(frozen=True, kw_only=True)
class Accusation:
    """What came of it: the reduction's answer, each guilty package, all probes; ``changes`` is what differed at first."""

    blame: Blame
    guilty: tuple[Guilty, ...]
    changes: Mapping[str, Change]
    probes: tuple[Probe, ...]
    unresolvable: int = 0

    @property
    def kind(self) -> AnswerKind:
        """As in the JSON document: ``first-bad`` only where every guilty package's release is known."""
        if self.blame.kind in {BlameKind.GOOD_HANGS, BlameKind.BAD_IS_CLEAN}:
            return AnswerKind.NO_CHANGE
        is_named = all(one.found is None or one.release is not None for one in self.guilty)
        return AnswerKind.FIRST_BAD if self.blame.kind is BlameKind.FOUND and is_named else AnswerKind.UNKNOWN


@dataclass
class Blaming:
    """A blame under way; ``probe`` makes a trial of a cell, ``releases_of`` lists a package's releases, the oldest first.

    ``keep``, ``jobs``, ``build_ahead`` and ``cancel`` are those of a ``Hunt``; a cell that is kept may be a new one.
    """

    mixer: Mixer
    probe: Callable[[Cell, int], Trial]
    releases_of: Callable[[str], Sequence[Release]]
    keep: Callable[[Cell, Trial], object] = lambda _cell, _trial: None
    confidence: float = 0.95
    most_trials: int = 200
    jobs: int = 1
    cancel: Callable[[], object] = lambda: None
    build_ahead: Callable[[Cell], object] = lambda _: None
    on_step: Callable[[str], None] = lambda _: None
    on_probe: Callable[[Probe], None] = lambda _: None
    _trials: dict[str, list[Trial]] = field(default_factory=lambda: defaultdict(list))
    _mixed: dict[Packages, Cell | None] = field(default_factory=dict)
    _taken: Counter[Packages] = field(default_factory=Counter)
    _probes: list[Probe] = field(default_factory=list)
    _hunted: HuntedHang = field(default_factory=HuntedHang)
    _patience: Patience = field(default_factory=Patience)

    def run(self, finished: Sequence[Trial] = ()) -> Accusation:
        """Reduce, then hunt; ``finished`` are trials of a run that goes on."""
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
        return Accusation(
            blame=blame,
            guilty=guilty,
            changes=self.mixer.changes,
            probes=tuple(self._probes),
            unresolvable=sum(cell is None for cell in self._mixed.values()),
        )

    @property
    def _of_each_half(self) -> float:
        """What the package, and then its release, must be sure by, for the two together to be as sure as was asked."""
        return math.sqrt(self.confidence)

    # Which packages

    def _look_at_the_bad_end(self) -> None:
        """One trial, for its stacks to say which packages are likely; the reduction takes it for its first."""
        self.on_step("the bad end")
        cell = self._cell_of(frozenset(self.mixer.changes))
        if cell is not None:
            self._trial(cell, 0)

    def _likeliest_first(self) -> tuple[str, ...]:
        """The packages whose code is in the hang's stacks, or which its explanation names; then the others."""
        hang = self._hunted.first
        said = "\n".join([hang.explanation, hang.cause_text, *hang.stacks]).lower() if hang else ""
        return tuple(sorted(self.mixer.changes, key=lambda name: (name.replace("-", "_") not in said, name)))

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
        trial = self.probe(cell, number)
        self.keep(cell, trial)
        self._patience.take(trial)
        return trial

    def _take(self, probe: Probe) -> None:
        self._probes.append(probe)
        self.on_probe(probe)

    # Which release

    def _guilty(self, name: str, culprits: Culprits, *, left: int) -> Guilty:
        change = self.mixer.changes[name]
        candidates = self._candidates(change, frozenset(culprits.packages))
        found = self._hunt(name, candidates, left) if candidates else None
        sure = found.answer.confidence if found and found.answer.is_settled else 1.0
        return Guilty(
            change=change,
            together_with=tuple(other for other in culprits.packages if other != name),
            confidence=culprits.confidence * sure,
            found=found,
            is_tied=name in culprits.tied,
        )

    def _candidates(self, change: Change, culprits: Packages) -> list[Candidate]:
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
        self.on_step(f"{name} {candidates[0].name} to {candidates[-1].name}: {len(candidates)} releases")
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
            build_ahead=lambda cell: self.build_ahead(self.mixer.pinned(cell)),
            on_probe=say,
        ).run(known)


def answer_document(accusation: Accusation, *, sentence: str) -> dict[str, object]:
    """The ``answer`` of the JSON document: that of a bisection for each package."""
    blame = accusation.blame
    sure = min((one.confidence for one in accusation.guilty), default=0.0)
    return {
        "kind": accusation.kind.value,
        "confidence": round(sure, 4),
        "sentence": sentence,
        "packages": [_package_document(one) for one in accusation.guilty],
        "cure": [{"package": name, "release": accusation.changes[name].good} for name in blame.cure],
        "cure_confidence": round(blame.cure_confidence, 4),
        "changed": {name: change.in_words.removeprefix(f"{name} ") for name, change in accusation.changes.items()},
    }


def _package_document(one: Guilty) -> dict[str, object]:
    release, previous = one.release, one.previous
    named = one.found is None
    return {
        "kind": (AnswerKind.FIRST_BAD if named or release else AnswerKind.UNKNOWN).value,
        "package": one.change.package,
        "release": one.change.bad if named else release.name if release else None,
        "previous": one.change.good if named else previous.name if previous else None,
        "released": release.released.isoformat() if release and release.released else None,
        "confidence": round(one.confidence, 4),
        "good": one.change.good,
        "bad": one.change.bad,
        "together_with": list(one.together_with),
        "is_tied": one.is_tied,
    }


def sentence_of(accusation: Accusation) -> str:
    """The answer in one sentence."""
    blame, count = accusation.blame, len(accusation.changes)
    if blame.kind is BlameKind.BAD_IS_CLEAN:
        return f"the bad end does not hang: {blame.why}; it may need more load, or more trials (--confidence)"
    if blame.kind is BlameKind.GOOD_HANGS:
        return f"the good end hangs too: {blame.why}; take an older one, or another (the two may have been exchanged)"
    if not accusation.guilty:
        return f"not settled: {blame.why}"
    sets = [tuple(one.packages) for one in blame.culprits]
    by_name = {one.change.package: one for one in accusation.guilty}
    parts = [" and only together with it ".join(_since(by_name[name]) for name in names) for names in sets]
    sure = min(one.confidence for one in accusation.guilty)
    text = f"it hangs since {'; and also since '.join(parts)}, of {_packages(count)} that changed, at {sure:.1%} confidence"
    if blame.kind is not BlameKind.FOUND:
        return f"{text}; {blame.why} before all was looked at (--max-trials allows more)"
    back = ", ".join(f"{name} {accusation.changes[name].good or 'none'}" for name in blame.cure)
    return f"{text}; taken back to {back}, the bad end is clean ({blame.cure_confidence:.1%})"


def _packages(count: int) -> str:
    return f"{count} package{'' if count == 1 else 's'}"


def _since(one: Guilty) -> str:
    release, previous = one.release, one.previous
    if release is not None and previous is not None:
        day = f" ({release.released.isoformat()})" if release.released else ""
        return f"{one.change.package} {release.name}{day}, not yet with {previous.name}"
    if one.found is None:
        return one.change.in_words
    return f"{one.change.in_words} (which release is not settled)"


def block_of(accusation: Accusation, *, sentence: str, command: str) -> str:
    """The text to paste: the answer, what changed, the trials of every set and release, versions, command."""
    shown: dict[str, list[Probe]] = {}
    for probe in accusation.probes:
        shown.setdefault(probe.candidate.cell.id, []).append(probe)
    lines = [
        sentence,
        f"changed: {', '.join(change.in_words for change in accusation.changes.values())}",
        f"probes:  {len(accusation.probes)} trials of {len(shown)} environments; {accusation.unresolvable} more cannot be installed",
    ]
    for probes in shown.values():
        counted = [probe.hang for probe in probes if probe.hang is not None]
        what = f"hung {sum(counted)} of {len(counted)}" if counted else f"{probes[0].trial.verdict}: {probes[0].trial.reason[:120]}"  # fmt: skip
        lines.append(f"  {what:<14} {probes[0].candidate.cell.label}")
    hung = next((probe.trial for probe in reversed(accusation.probes) if probe.hang), None)
    if hung is not None:
        names = ("locust", "gevent", "urllib3", "boto3", "botocore", "greenlet", "requests")
        versions = ", ".join(f"{name} {hung.versions[name]}" for name in names if name in hung.versions)
        lines += [f"with:    {versions}, Python {hung.python}", f"hang:    {hung.command}"]
    return "\n".join([*lines, f"command: {command}"])
