"""A hunt for the release, or the day, since which it hangs: candidates probed one by one until the answer is certain.

    candidates ─▶ next probe ─▶ trial, stored at once ─▶ what it says ─▶ … ─▶ Found

The search itself is ``core.bisection``; here its probes become trials, and only the *same* hang counts: one with the class,
and the known cause, of the first that was seen at the bad end. Whatever else a trial came to is shown apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from repro.core.bisection import Answer, AnswerKind, Bisection, Direction
from repro.core.rates import in_words, interval
from repro.model import Cell, Trial, Verdict

MOST_APART = 2
"""Trials of a release that say neither hang nor clean before it is set aside."""
TRIALS_OF_GOOD_END = 2


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A release or a day that can be the answer: its name, its date where the index tells, and its cell."""

    name: str
    released: date | None
    cell: Cell


@dataclass(frozen=True)
class Probe:
    """A trial of a candidate, and whether it counts: True a hang of the kind that is hunted, False clean, None neither."""

    candidate: Candidate
    trial: Trial
    hang: bool | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a hunt came to: the answer, all probes, and whether it stopped because it had made so many."""

    answer: Answer
    probes: tuple[Probe, ...]
    candidates: tuple[Candidate, ...]
    is_exhausted: bool = False

    def named(self, index: int | None) -> Candidate | None:
        """The candidate of an index of the answer."""
        return None if index is None else self.candidates[index]

    def seen(self, candidate: Candidate) -> tuple[int, int]:
        """Hangs and trials of a candidate that count."""
        counted = [probe.hang for probe in self.probes if probe.candidate is candidate and probe.hang is not None]
        return sum(counted), len(counted)


@dataclass
class Hunt:
    """A hunt under way. ``probe`` makes a trial of a cell, ``build_ahead`` is told which cells may come next.

    ``most_trials`` are those of environments that could be made.
    """

    candidates: Sequence[Candidate]
    probe: Callable[[Cell, int], Trial]
    direction: Direction = Direction.BAD
    confidence: float = 0.95
    most_trials: int = 60
    build_ahead: Callable[[Cell], object] = lambda _: None
    on_probe: Callable[[Probe, Bisection], None] = lambda _probe, _state: None
    _probes: list[Probe] = field(default_factory=list)

    def run(self, finished: Sequence[Trial] = ()) -> Found:
        """Probe until the answer is certain or ``most_trials`` are made; ``finished`` are trials of a run that goes on."""
        state = Bisection(len(self.candidates), confidence=self.confidence, direction=self.direction)
        by_cell = {candidate.cell.id: index for index, candidate in enumerate(self.candidates)}
        for trial in sorted(finished, key=lambda trial: trial.started):
            if trial.cell_id in by_cell:
                state = self._take(state, by_cell[trial.cell_id], trial)
        while not state.answer().is_settled and not self._has_made_enough():
            wanted = state.next_probes(2)
            if not wanted:
                break
            for index in wanted[1:]:
                self.build_ahead(self.candidates[index].cell)
            cell = self.candidates[wanted[0]].cell
            number = 1 + sum(probe.candidate.cell.id == cell.id for probe in self._probes)
            state = self._take(state, wanted[0], self.probe(cell, number))
        answer = state.answer()
        if answer.kind is AnswerKind.NO_CHANGE and not answer.always:
            self._look_at_the_good_end()
        return Found(
            answer=answer,
            probes=tuple(self._probes),
            candidates=tuple(self.candidates),
            is_exhausted=not answer.is_settled and self._has_made_enough(),
        )

    def _has_made_enough(self) -> bool:
        """Whether ``most_trials`` were made; a release that cannot be installed costs none."""
        return sum(probe.trial.verdict is not Verdict.UNTESTABLE for probe in self._probes) >= self.most_trials

    def _look_at_the_good_end(self) -> None:
        """Where nothing hangs at the bad end, the two may have been exchanged: the answer stays, and can say so."""
        index = 0 if self.direction is Direction.BAD else len(self.candidates) - 1
        cell = self.candidates[index].cell
        for number in range(1, TRIALS_OF_GOOD_END + 1):
            if any(probe.candidate.cell.id == cell.id and probe.trial.number >= number for probe in self._probes):
                continue
            trial = self.probe(cell, number)
            self._probes.append(Probe(self.candidates[index], trial, self._meaning(trial)))
            if trial.hang is not None:
                return

    def _take(self, state: Bisection, index: int, trial: Trial) -> Bisection:
        probe = Probe(self.candidates[index], trial, self._meaning(trial))
        self._probes.append(probe)
        if probe.hang is not None:
            state = state.observe(index, hang=probe.hang)
        elif trial.verdict is Verdict.UNTESTABLE or self._apart(index) >= MOST_APART:
            state = state.set_aside(index)
        self.on_probe(probe, state)
        return state

    def _apart(self, index: int) -> int:
        return sum(probe.candidate is self.candidates[index] and probe.hang is None for probe in self._probes)

    def _meaning(self, trial: Trial) -> bool | None:
        if trial.verdict is Verdict.CLEAN:
            return False
        if trial.hang is None:
            return None
        first = next((probe.trial.hang for probe in self._probes if probe.hang), None)
        is_same = first is None or (first.hang_class, first.cause) == (trial.hang.hang_class, trial.hang.cause)
        return True if is_same else None


def answer_document(found: Found, *, package: str, sentence: str) -> dict[str, object]:
    """The ``answer`` of the JSON document."""
    answer = found.answer
    release, previous = found.named(answer.index), found.named(answer.previous)
    return {
        "kind": answer.kind.value,
        "package": package,
        "release": release.name if release else None,
        "previous": previous.name if previous else None,
        "released": release.released.isoformat() if release and release.released else None,
        "confidence": round(answer.confidence, 4),
        "sentence": sentence,
        "candidates": [found.candidates[index].name for index in answer.candidates],
        "trials": {
            candidate.name: {"hits": hits, "n": n, "low": round(rate.low, 4), "high": round(rate.high, 4)}
            for candidate in found.candidates
            for hits, n in (found.seen(candidate),)
            if n
            for rate in (interval(hits, n),)
        },
        "changed": dict(changed(found)),
    }


def documents_of(probes: Sequence[Probe]) -> list[dict[str, object]]:
    """The ``probes`` of the JSON document, in the order in which they were made."""
    return [
        {
            "release": probe.candidate.name,
            "cell": probe.candidate.cell.id,
            "trial": probe.trial.number,
            "verdict": probe.trial.verdict.value,
            "hang_class": probe.trial.hang.hang_class.value if probe.trial.hang else None,
            "counts": probe.hang is not None,
            "seconds": round(probe.trial.seconds, 3),
            "command": probe.trial.command,
        }
        for probe in probes
    ]


def sentence_of(found: Found, *, package: str) -> str:
    """The answer in one sentence."""
    answer = found.answer
    release, previous = found.named(answer.index), found.named(answer.previous)
    ends = found.candidates[0], found.candidates[-1]
    if release is not None and previous is not None:
        verb = "first hangs" if answer.kind is AnswerKind.FIRST_BAD else "first hangs no longer"
        between = (
            f"; {', '.join(found.candidates[index].name for index in answer.untestable)} between them cannot be tested"
            if answer.untestable
            else ""
        )
        return (
            f"it {verb} with {package} {release.name}{_day(release)}, not {_not_yet(answer)} with {previous.name}"
            f"{_day(previous)}, at {answer.confidence:.1%} confidence{between}"
        )
    if answer.kind is AnswerKind.NO_CHANGE:
        how = "hangs at both ends" if answer.always else "hangs at neither end"
        hint = _hint(found)
        return f"no change from {package} {ends[0].name} to {ends[1].name}: it {how}, at {answer.confidence:.1%} confidence{hint}"
    left = ", ".join(found.candidates[index].name for index in answer.candidates[:6]) or "none"
    why = (
        f"after {len(found.probes)} trials (--max-trials allows more)"
        if found.is_exhausted
        else "fewer than two releases can be tested"
    )
    return f"not settled {why}; the trials leave {left}"


def _hint(found: Found) -> str:
    """Where the ends look exchanged: the older one hangs, the newer one does not."""
    first, last = (found.seen(found.candidates[index]) for index in (0, -1))
    if first[0] and not last[0] and last[1]:
        return "; but the older end hangs and the newer one does not: look for the cure with --find fixed"
    if last[0] and not first[0] and first[1]:
        return "; but the newer end hangs and the older one does not: exchange --good and --bad, without --find fixed"
    return ""


def _not_yet(answer: Answer) -> str:
    return "yet" if answer.kind is AnswerKind.FIRST_BAD else "so"


def _day(candidate: Candidate) -> str:
    return f" ({candidate.released.isoformat()})" if candidate.released else ""


def changed(found: Found) -> Mapping[str, str]:
    """What is installed differently at the answer and at the one before it: package → ``1.0 → 1.1``."""
    sides = [_versions(found, found.named(index)) for index in (found.answer.previous, found.answer.index)]
    if not all(sides):
        return {}
    before, after = sides
    names = sorted({*before, *after})
    return {
        name: f"{before.get(name, 'none')} → {after.get(name, 'none')}"
        for name in names
        if before.get(name) != after.get(name)
    }


def _versions(found: Found, candidate: Candidate | None) -> Mapping[str, str]:
    return next((probe.trial.versions for probe in found.probes if probe.candidate is candidate), {})


def block_of(found: Found, *, package: str, sentence: str, command: str) -> str:
    """The text to paste: the range, the answer, trials on each side with intervals, confidence, command, versions."""
    answer = found.answer
    lines = [
        sentence,
        f"range:   {package} {found.candidates[0].name} to {found.candidates[-1].name}, {len(found.candidates)} candidates",
        f"probes:  {len(found.probes)} trials of {len({probe.candidate.name for probe in found.probes})} of them",
    ]
    for candidate in found.candidates:
        hits, n = found.seen(candidate)
        if n:
            mark = " <-" if candidate is found.named(answer.index) else ""
            lines.append(f"  {candidate.name:<14} hung {in_words(interval(hits, n))}{mark}")
    apart = [probe for probe in found.probes if probe.hang is None]
    lines += [f"  {probe.candidate.name:<14} {probe.trial.verdict}: {probe.trial.reason[:160]}" for probe in apart[:5]]
    if more := Counter(probe.trial.verdict.value for probe in apart[5:]):
        lines.append(f"  {'and':<14} {', '.join(f'{count} more {verdict}' for verdict, count in more.items())}")
    changes = changed(found)
    if changes:
        lines.append("changed: " + ", ".join(f"{name} {versions}" for name, versions in changes.items()))
    shown = ("locust", "gevent", "urllib3", "boto3", "botocore", "greenlet", "requests")
    versions = _versions(found, found.named(answer.index)) or _versions(found, found.candidates[-1])
    lines.append("with:    " + ", ".join(f"{name} {versions[name]}" for name in shown if name in versions))
    return "\n".join([*lines, f"command: {command}"])
