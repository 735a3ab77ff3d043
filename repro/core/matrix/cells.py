"""What the trials of a cell come to, when it is settled, and the exit code of a run of cells."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from repro.core.intervals import interval
from repro.errors import ExitCode
from repro.model import CellVerdict, Interval, Verdict

ENOUGH_ALIKE = 2


def rate_of(verdicts: Sequence[Verdict]) -> Interval | None:
    """The hang rate of a cell's trials, None when none of them counts."""
    counted = [verdict for verdict in verdicts if verdict.counts_in_rate]
    return interval(counted.count(Verdict.HANG), len(counted)) if counted else None


def cell_verdict(verdicts: Sequence[Verdict]) -> CellVerdict:
    """What the trials of a cell come to: one hang makes it a hang; else what all those that mean something agree on."""
    if Verdict.HANG in verdicts:
        return CellVerdict.HANG
    telling = [verdict for verdict in verdicts if verdict.value in set(CellVerdict)]
    if not telling:
        return CellVerdict.INCONCLUSIVE
    first = telling[0]
    return CellVerdict(first.value) if all(verdict is first for verdict in telling) else CellVerdict.INCONCLUSIVE


def is_settled(verdicts: Sequence[Verdict], *, trials: int) -> bool:
    """Whether more trials would not change the verdict: one hang, one untestable, two crashes alike, or all made."""
    if len(verdicts) >= trials or Verdict.HANG in verdicts or Verdict.UNTESTABLE in verdicts:
        return True
    same = [verdicts.count(kind) for kind in (Verdict.CRASH, Verdict.FAILING)]
    return max(same) >= ENOUGH_ALIKE


FAILING_CODES = {
    CellVerdict.HANG: ExitCode.HANG,
    CellVerdict.CRASH: ExitCode.HANG,
    CellVerdict.FAILING: ExitCode.HANG,
    CellVerdict.UNTESTABLE: ExitCode.INCONCLUSIVE,
    CellVerdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}
USUALLY_FAILING = (CellVerdict.HANG, CellVerdict.UNTESTABLE, CellVerdict.INCONCLUSIVE)


def exit_code(
    cells: Collection[CellVerdict], trials: Collection[Verdict], *, fail_on: Sequence[CellVerdict] = USUALLY_FAILING
) -> ExitCode:
    """What a run comes to for the program that called this one.

    Where every cell crashed or failed nobody has looked for a hang: that is inconclusive, not "no hang".
    """
    if Verdict.INTERRUPTED in trials:
        return ExitCode.INTERRUPTED
    if CellVerdict.HANG in cells and CellVerdict.HANG in fail_on:
        return ExitCode.HANG
    if {Verdict.BACKEND, Verdict.ERROR} & set(trials):
        return ExitCode.FAILED
    found = next((FAILING_CODES[verdict] for verdict in fail_on if verdict in cells), ExitCode.NO_HANG)
    is_judged = bool({CellVerdict.CLEAN, CellVerdict.HANG} & set(cells))
    if found is ExitCode.NO_HANG and cells and not is_judged and CellVerdict.INCONCLUSIVE in fail_on:
        return ExitCode.INCONCLUSIVE
    return found
