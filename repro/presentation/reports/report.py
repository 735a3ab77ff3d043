"""A run prepared for reports: its records with all their English text, before redaction.

    StoredRun ─▶ Report ─▶ redacted Report ─▶ page, Markdown, JUnit, JSON document

What must not leave the machine is looked for in whole sentences and stacks, which is why they are made first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from repro.core.hang.same import HangKind, hang_kinds
from repro.core.matrix.hosts import HostRate, host_rates
from repro.core.matrix.timeouts import timeout_worth
from repro.core.scrubbing.redaction import Redact, redacted, without_levels
from repro.findings import Amplified
from repro.model import (
    CellResult,
    CellVerdict,
    Collector,
    Conclusion,
    Cover,
    Exposure,
    Hang,
    HangClass,
    Hazard,
    Interval,
    Level,
    Moment,
    Operations,
    Rung,
    StoredRun,
    Trial,
    Verdict,
    Wait,
)
from repro.presentation.hang.explanation import bound_text, cause_text_of, explanation_of, reason_of, stacks_of
from repro.presentation.hunt.answer_document import hunt_document
from repro.presentation.hunt.bisected import Bisected, bisected_of
from repro.presentation.lines import AnswerLine
from repro.presentation.matrix.conclusion import answer_lines, hangs_when, no_effect_text, outcome_text, sentences_of
from repro.presentation.matrix.timeouts import WaitLine, worth_lines


@dataclass(frozen=True, kw_only=True)
class ReportedHang:
    """A hang; ``bound`` says whether it ends by itself, ``cause`` is a known cause's id or empty."""

    hang_class: HangClass
    users_stuck: int
    users: int
    stuck_since_s: float
    at_most_s: float | None
    bound: str
    recovered_after_s: float | None
    explanation: str
    fingerprint: str
    cause: str
    cause_text: str
    stacks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReportedRung:
    """A rung of the ladder of evidence; of several processes its name says whose it is."""

    name: str
    answered: bool
    seconds: float
    file: str
    refusal: str


@dataclass(frozen=True, kw_only=True)
class ReportedTrial:
    """A trial; ``reason`` says why it came to its verdict, ``machine`` who ran it.

    ``cause`` is the known cause that was named, of a hang and of a crash or of calls that failed as well; "" where none
    was.
    """

    number: int
    verdict: Verdict
    reason: str
    started: datetime
    seconds: float
    hang: ReportedHang | None
    operations: Operations
    exposure: Exposure | None
    at_hang: Exposure | None
    collector: Collector | None
    amplified: Amplified | None
    longest_wait: Wait | None
    timeline: tuple[Moment, ...]
    rungs: tuple[ReportedRung, ...]
    evidence: str
    command: str
    seed: int
    machine: str
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportedMachine:
    """A machine that ran trials: its host's name, ``host-N`` when redacted, what it is, and how many it ran."""

    name: str
    system: str
    cores: int
    python: str
    trials: int
    load: float | None = None
    capacities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ReportedCell:
    """A cell; ``hang_class`` is that of most of its hung trials, ``versions`` are those of its first trial."""

    id: str
    label: str
    factors: Mapping[str, Level]
    python: str
    versions: Mapping[str, str]
    verdict: CellVerdict
    hang_class: HangClass | None
    rate: Interval | None
    exposure: Exposure
    hazard: Hazard | None
    trials: tuple[ReportedTrial, ...]
    hosts: tuple[HostRate, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReportedKind:
    """One of the different hangs: in how many trials it was seen, in which ``cells``, by id.

    ``place`` is the index of the cell, and of its trial, that tells most of it.
    """

    hang_class: HangClass
    fingerprint: str
    trials: int
    cells: tuple[str, ...]
    place: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class ReportedConclusion:
    """The conclusion's record, and the parts of it in words."""

    record: Conclusion
    hangs_when: str | None
    others: Mapping[CellVerdict, str]
    no_effect: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run. ``answer`` and ``sentences`` are what it came to: the lines for people, and all of it in words.

    ``waits`` are what its timeouts are worth, as a table. ``machines`` ran its trials; ``shard`` is such as ``3/20``,
    empty for a whole run.

    ``hunt`` is what a bisection or a blame adds to the JSON document, empty for any other run; ``bisected`` a
    bisection as a picture. ``cover`` is what the ``planned`` cells cover of a larger matrix, None where they are all of
    it.
    """

    experiment: str
    scenario: str
    run_dir: str
    run_id: str
    command: str
    started: datetime
    ended: datetime | None
    seed: int
    machine: Mapping[str, str]
    machines: tuple[ReportedMachine, ...]
    shard: str
    tool_versions: Mapping[str, str]
    varied: tuple[str, ...]
    cells: tuple[ReportedCell, ...]
    hangs: tuple[ReportedKind, ...]
    answer: tuple[AnswerLine, ...]
    sentences: tuple[str, ...]
    waits: tuple[WaitLine, ...]
    conclusion: ReportedConclusion | None
    hunt: Mapping[str, Any] = field(default_factory=dict)
    bisected: Bisected | None = None
    cover: Cover | None = None
    planned: int = 0

    @property
    def block(self) -> str:
        """A hunt's text to paste, empty for any other run."""
        return str(self.hunt.get("block", ""))

    @property
    def tried(self) -> list[ReportedCell]:
        """The cells with a trial."""
        return [cell for cell in self.cells if cell.trials]

    def telling(self, kind: ReportedKind) -> tuple[ReportedCell, ReportedTrial, ReportedHang]:
        """The cell, the trial and the hang that tell most of a kind."""
        cell = self.cells[kind.place[0]]
        trial = cell.trials[kind.place[1]]
        assert trial.hang is not None  # noqa: S101  # a kind's trials are hangs
        return cell, trial, trial.hang


def report_of(run: StoredRun) -> Report:
    """The report of a stored run."""
    return Report(
        experiment=run.plan.experiment,
        scenario=run.plan.scenario,
        run_dir=str(run.folder),
        run_id=run.run_id,
        command=run.command,
        started=run.started,
        ended=run.ended,
        seed=run.seed,
        machine=run.machine,
        machines=_machines(run),
        shard=str(run.shard or ""),
        tool_versions=run.tool_versions,
        varied=run.plan.varied,
        cells=tuple(_cell(result) for result in run.cells),
        hangs=_kinds(run.cells),
        answer=answer_lines(run),
        sentences=sentences_of(run),
        waits=worth_lines(timeout_worth(run.cells, run.plan.varied)),
        conclusion=_conclusion(run.conclusion) if run.conclusion else None,
        hunt=hunt_document(run),
        bisected=bisected_of(run),
        cover=run.plan.cover,
        planned=len(run.plan.cells),
    )


def redacted_report(report: Report, redact: Redact, *, run_dir: str | None = None) -> Report:
    """The report as it may leave the machine: the levels of secret variables are known, wherever they stand.

    ``run_dir`` is the run's folder as a program may still open it, where that can be told.
    """
    known = without_levels(redact, (cell.factors for cell in report.cells))
    found: Report = redacted(_without_hosts(report), known)
    return found if run_dir is None else replace(found, run_dir=run_dir)


def _without_hosts(report: Report) -> Report:
    """The report with a number in the place of each host's name, so that they can still be kept apart."""
    names = {machine.name: f"host-{number}" for number, machine in enumerate(report.machines, 1)}
    return replace(
        report,
        answer=redacted(report.answer, _numbered(names)),
        sentences=redacted(report.sentences, _numbered(names)),
        machines=tuple(replace(one, name=names[one.name]) for one in report.machines),
        cells=tuple(
            replace(
                cell,
                trials=tuple(replace(one, machine=names.get(one.machine, "")) for one in cell.trials),
                hosts=tuple(replace(one, host=names.get(one.host, "")) for one in cell.hosts),
            )
            for cell in report.cells
        ),
    )


def _numbered(names: Mapping[str, str]) -> Redact:
    """What puts the numbers in the place of the names in a text."""
    if not names:
        return lambda text: text
    found = re.compile(
        "|".join(rf"(?<![\w.-]){re.escape(name)}(?![\w-])" for name in sorted(names, key=len, reverse=True))
    )
    return lambda text: found.sub(lambda match: names[match[0]], text)


def _machines(run: StoredRun) -> tuple[ReportedMachine, ...]:
    """The machines that are known of, by the trials that each ran, in the order in which they were kept."""
    ran = Counter(trial.machine for result in run.cells for trial in result.trials)
    return tuple(
        ReportedMachine(
            name=one.host,
            system=one.system,
            cores=one.cores,
            python=one.python,
            trials=ran.get(one.host, 0),
            load=one.load,
            capacities=one.capacities,
        )
        for one in run.machines
    )


def hang_class_of(cell: CellResult) -> HangClass | None:
    """How a cell hung: the class of most of its hung trials."""
    counted = Counter(trial.hang.hang_class for trial in cell.trials if trial.hang)
    return counted.most_common(1)[0][0] if counted else None


def _cell(result: CellResult) -> ReportedCell:
    return ReportedCell(
        id=result.cell.id,
        label=result.cell.label,
        factors=result.cell.factors,
        python=next((trial.python for trial in result.trials if trial.python), ""),
        versions=next((trial.versions for trial in result.trials if trial.versions), {}),
        verdict=result.verdict,
        hang_class=hang_class_of(result),
        rate=result.rate,
        exposure=result.exposure,
        hazard=result.hazard,
        trials=tuple(_trial(trial) for trial in result.trials),
        hosts=host_rates(result),
    )


def _trial(trial: Trial) -> ReportedTrial:
    return ReportedTrial(
        number=trial.number,
        verdict=trial.verdict,
        reason=reason_of(trial),
        started=trial.started,
        seconds=trial.seconds,
        hang=_hang(trial, trial.hang) if trial.hang else None,
        operations=trial.operations,
        exposure=trial.exposure,
        at_hang=trial.at_hang,
        collector=trial.collector,
        amplified=trial.findings.amplified if trial.findings else None,
        longest_wait=trial.longest_wait,
        timeline=trial.timeline,
        rungs=_rungs(trial.rungs),
        evidence=trial.evidence,
        command=trial.command,
        seed=trial.seed,
        machine=trial.machine,
        cause=trial.findings.cause.id if trial.findings and trial.findings.cause else "",
    )


def _hang(trial: Trial, hang: Hang) -> ReportedHang:
    return ReportedHang(
        hang_class=hang.hang_class,
        users_stuck=hang.users_stuck,
        users=hang.users,
        stuck_since_s=hang.stuck_since_s,
        at_most_s=hang.bound.at_most_s,
        bound=bound_text(hang.bound, trial.findings.row if trial.findings else None),
        recovered_after_s=hang.bound.recovered_after_s,
        explanation=explanation_of(trial),
        fingerprint=hang.fingerprint,
        cause=hang.cause,
        cause_text=cause_text_of(trial),
        stacks=stacks_of(trial),
    )


def _rungs(rungs: Sequence[Rung]) -> tuple[ReportedRung, ...]:
    are_of_several = len({rung.pid for rung in rungs}) > 1
    return tuple(
        ReportedRung(
            name=f"{rung.kind.value}, process {rung.pid}" if are_of_several else rung.kind.value,
            answered=rung.answered,
            seconds=rung.seconds,
            file=rung.file,
            refusal=rung.refusal,
        )
        for rung in rungs
    )


def _kinds(results: Sequence[CellResult]) -> tuple[ReportedKind, ...]:
    """The different hangs, the most frequent first."""
    return tuple(
        ReportedKind(
            hang_class=kind.hang_class,
            fingerprint=kind.fingerprint,
            trials=len(kind.seen),
            cells=tuple(cell.id for cell in kind.cells),
            place=_place(kind, results),
        )
        for kind in hang_kinds(results)
    )


def _place(kind: HangKind, results: Sequence[CellResult]) -> tuple[int, int]:
    cell = next(at for at, result in enumerate(results) if result.cell is kind.telling.cell)
    return cell, next(at for at, trial in enumerate(results[cell].trials) if trial is kind.telling.trial)


def _conclusion(conclusion: Conclusion) -> ReportedConclusion:
    beside = [one for one in conclusion.outcomes if one.verdict is not CellVerdict.HANG]
    others: dict[CellVerdict, str] = {one.verdict: outcome_text(one) for one in beside}
    return ReportedConclusion(
        record=conclusion,
        hangs_when=hangs_when(conclusion) if conclusion.outcome(CellVerdict.HANG) else None,
        others=others,
        no_effect=tuple(no_effect_text(one) for one in conclusion.no_effect),
    )
