"""What a run and a hunt print fits the width of the terminal, and says the answer first."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from rich.cells import cell_len
from rich.console import Console

from repro.answer import AnswerKind, BisectionAnswer, BisectionRecord, ReleaseTrials
from repro.core.matrix.conclusion import conclude
from repro.findings import CauseMatch, Ending, Findings, RowName
from repro.model import Bound, CellResult, CellVerdict, Hang, HangClass, Level, StoredRun, Trial, Verdict
from repro.presentation.console import summary
from repro.presentation.hunt.answers import block_of
from repro.presentation.lines import AnswerLine, laid_out
from repro.presentation.live.run import Progress
from repro.presentation.matrix.conclusion import answer_lines
from repro.presentation.matrix.levels import told_apart

CLEAN, HANG, CRASH = CellVerdict.CLEAN, CellVerdict.HANG, CellVerdict.CRASH
FACTORS = {
    "stack": ["2024-03", "2024-09"],
    "client": ["per-iteration", "shared"],
    "import_order": ["boto3-first", "locust-first"],
    "launch": ["cli", "library"],
    "connect_timeout": [60],
    "read_timeout": [60],
}
CAUSE = CauseMatch(
    id="gevent-1957",
    title="a long title",
    cure="a newer gevent",
    shown_by="e",
    upstream="https://github.com/gevent/gevent/issues/1957",
    frames=("a.py:f",),
    summary="a finalizer of urllib3 switches greenlets",
    cures=("gevent>=25.4.1", "locust>=2.30.0", "urllib3<1.26.16"),
)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def rule(levels: Mapping[str, Level]) -> CellVerdict:
    if levels["launch"] == "library" and levels["import_order"] == "boto3-first":
        return CRASH
    return HANG if (levels["stack"], levels["client"]) == ("2024-03", "per-iteration") else CLEAN


def with_cause(result: CellResult) -> CellResult:
    """The cell with a trial that has a known cause, where it hangs."""
    if result.verdict is not HANG:
        return result
    bound = Bound(at_most_s=None, ending=Ending.LOOP_STANDS)
    hang = Hang(hang_class=HangClass.FROZEN, users_stuck=2, users=3, stuck_since_s=1.0, bound=bound, cause=CAUSE.id)
    found = Findings(row=RowName.LOOP_STANDS, cause=CAUSE)
    first, *others = result.trials
    return replace(result, trials=(replace(first, verdict=Verdict.HANG, hang=hang, findings=found), *others))


@pytest.fixture
def run(stored: Callable[..., StoredRun], judged_cells: Callable[..., list[CellResult]]) -> StoredRun:
    """The matrix of the report: six factors, two of them with one level."""
    cells = [with_cause(one) for one in judged_cells(FACTORS, rule, ended=6_712)]
    whole = stored(text="t")
    plan = replace(whole.plan, varied=tuple(FACTORS), cells=tuple(one.cell for one in cells))
    return replace(whole, plan=plan, cells=tuple(cells), conclusion=conclude(cells, list(FACTORS)))


def test_the_answer_is_read_in_ten_seconds(run: StoredRun) -> None:
    said = "\n".join(laid_out(line, width=80) for line in answer_lines(run))
    assert said == (
        "HANGS    when stack=2024-03 and client=per-iteration                3 of 4 cells\n"
        "CRASHES  when import_order=boto3-first and launch=library           4 of 4 cells\n"
        "No effect: import_order (tested with launch=cli),\n"
        "         launch (tested with import_order=locust-first)\n"
        "Clean:   9 cells, at least 3 trials and 6,712 operations each. A hang in fewer\n"
        "         than 447 a million operations or 63 % of trials could have been missed\n"
        "         (95 %).\n"
        "Cause:   gevent#1957 (known): a finalizer of urllib3 switches greenlets.\n"
        "         Fix: gevent >= 25.4.1, or locust >= 2.30.0, or urllib3 < 1.26.16."
    )


def one_of_two(levels: Mapping[str, Level]) -> CellVerdict:
    """A hang by either of two ways, which share a condition."""
    ways = (
        levels["client"] == "per-iteration",
        levels["launch"] == "library" and levels["import_order"] == "boto3-first",
    )
    return HANG if levels["stack"] == "2024-03" and any(ways) else CLEAN


def judged(run: StoredRun, cells: Sequence[CellResult], factors: Mapping[str, list[Level]]) -> StoredRun:
    return replace(run, cells=tuple(cells), conclusion=conclude(cells, list(factors)))


@pytest.mark.parametrize("width", [80, 100, 200])
def test_each_of_several_ways_to_hang_has_its_own_line(
    run: StoredRun, judged_cells: Callable[..., list[CellResult]], width: int
) -> None:
    first, *_ = answer_lines(judged(run, judged_cells(FACTORS, one_of_two, ended=6_712), FACTORS))
    count = "5 of 5 cells"
    assert laid_out(first, width=width).splitlines() == [
        f"{'HANGS    when stack=2024-03 and one of these holds:':<{min(width, 88) - len(count)}}{count}",
        "         - client=per-iteration",
        "         - import_order=boto3-first and launch=library",
    ]
    assert first.plain == (
        "HANGS when stack=2024-03 and one of these holds (5 of 5 cells): client=per-iteration; or "
        "import_order=boto3-first and launch=library"
    )


def test_ways_that_share_nothing_and_are_one_condition_each_stand_in_one_line(
    run: StoredRun, judged_cells: Callable[..., list[CellResult]]
) -> None:
    factors: dict[str, list[Level]] = {"a": ["p", "q"], "b": ["p", "q"]}
    cells = judged_cells(factors, lambda one: HANG if "p" in (one["a"], one["b"]) else CLEAN)
    first, *_ = answer_lines(judged(run, cells, factors))
    assert (first.text, first.items) == ("when a=p or b=p", ())


def test_explanations_that_the_cells_do_not_settle_stand_below_one_another_with_the_next_step(
    run: StoredRun, judged_cells: Callable[..., list[CellResult]]
) -> None:
    factors: dict[str, list[Level]] = {"a": ["x", "y"], "b": ["x", "y"]}
    verdicts = {("x", "x"): CLEAN, ("y", "y"): HANG, ("x", "y"): CRASH, ("y", "x"): CRASH}
    cells = judged_cells(factors, lambda levels: verdicts[levels["a"], levels["b"]])
    first, second, *_ = answer_lines(judged(run, cells, factors))
    assert (first.text, first.items) == ("when one of these holds; the cells do not show which", ("a=y", "b=y"))
    assert second.plain == "Do: run every combination of a and b"


def test_a_number_and_its_unit_and_a_requirement_are_not_parted() -> None:
    line = AnswerLine("Cause:", "x" * 40, rest=("Fix: gevent >= 25.4.1, or locust >= 2.30.0, or urllib3 < 1.26.16.",))
    said = laid_out(line, width=54)
    assert said.splitlines()[1:] == [
        "         Fix: gevent >= 25.4.1, or locust >= 2.30.0,",
        "         or urllib3 < 1.26.16.",
    ]
    assert "63 % of" in laid_out(AnswerLine("Clean:", f"{'x' * 29} than 63 % of trials"), width=46).replace(
        "\n         ", "|"
    )


def test_what_is_so_of_every_cell_is_not_said_of_some(
    run: StoredRun, judged_cells: Callable[..., list[CellResult]]
) -> None:
    for bad, where in ((("a", "b"), "in every cell"), (("a",), "when stack=a")):
        levels = {"stack": ["a", "b"]}
        cells = judged_cells(
            levels, lambda one, bad=bad: CellVerdict.CRASH if one["stack"] in bad else CellVerdict.CLEAN
        )
        judged = replace(run, cells=tuple(cells), conclusion=conclude(cells, list(levels)))
        (line,) = [one for one in answer_lines(judged) if one.head == "CRASHES"]
        assert line.text == where


def test_what_all_cells_share_stands_once_and_a_column_is_a_factor_that_varies(run: StoredRun) -> None:
    told = told_apart([one.cell for one in run.cells], run.plan.varied)
    assert told.names == ("stack", "client", "import_order", "launch")
    assert told.shared == "connect_timeout=60 read_timeout=60"
    text = shown(run, 200)
    assert text.count("connect_timeout") == 1
    assert text.startswith("All cells: connect_timeout=60 read_timeout=60\nverdict ")


def test_timeouts_that_vary_together_are_one_column(judged_cells: Callable[..., list[CellResult]]) -> None:
    def both(levels: Mapping[str, Level]) -> CellVerdict | None:
        return CLEAN if levels["connect_timeout"] == levels["read_timeout"] else None

    names = {"connect_timeout": [60, 5], "read_timeout": [60, 5]}
    cells = [one.cell for one in judged_cells(names, both)]
    told = told_apart(cells, list(names))
    assert (told.names, [told.levels_of(cell) for cell in cells]) == (("timeouts",), [("60",), ("5",)])


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_run_fits_the_terminal(run: StoredRun, width: int) -> None:
    text = shown(run, width)
    lines = text.splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert any(line.startswith("HANGS ") for line in lines)
    cells = [line for line in lines if line.startswith(("clean ", "hang ", "crash "))]
    assert len(cells) == len(run.cells)
    assert all({"per-iteration", "shared"} & set(line.split()) for line in cells), "a level is broken in two"
    assert ("operations" in text.splitlines()[1]) is (width == 100)
    assert ("hazard" in text.splitlines()[1]) is (width == 200)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_hunt_fits_the_terminal_but_for_the_command_to_paste(width: int) -> None:
    names = [f"1.26.{number}" for number in range(8)]
    releases = [ReleaseTrials(name=name, released=date(2024, 1, 1), hangs=0, trials=3) for name in names]
    answer = BisectionAnswer(
        kind=AnswerKind.FIRST_BAD,
        package="urllib3",
        confidence=0.954,
        releases=tuple(releases),
        release=names[-1],
        previous=names[0],
        untestable=tuple(names[1:-1]),
    )
    command = f"repro bisect urllib3 {' '.join(f'--set name{number}=level' for number in range(20))}"
    first, *lines, last = block_of(
        BisectionRecord(hunted=None, answer=answer), (), command=command, width=width
    ).splitlines()
    assert first.startswith("HANGS    since urllib3 1.26.7 (2024-01-01); 1.26.0 (2024-01-01) does not")
    assert lines[0].startswith("Sure:    95.4 % confidence")
    assert "Do:      use urllib3 1.26.0 or older" in lines
    assert max(map(len, [first, *lines])) <= width
    assert last == f"command: {command}"


def test_without_a_terminal_no_line_is_wrapped() -> None:
    line = AnswerLine("HANGS", "when " + "a long condition " * 20, "1 of 2 cells")
    assert "\n" not in laid_out(line, width=None)


def test_a_line_a_trial_has_what_varies_and_a_hang_its_reason(run: StoredRun) -> None:
    screen = Console(file=io.StringIO(), width=240)
    with Progress(run.plan, screen, jobs=1) as progress:
        for cell, trial in first_trials(run.cells):
            progress.trial_ended(cell.cell, trial, left=0)
    text = screen.file.getvalue()  # type: ignore[attr-defined]  # the one from above
    assert "stack=2024-03 client=per-iteration import_order=locust-first launch=cli  [done]\n" in text
    assert "connect_timeout" not in text
    assert "\n  Known cause: a long title\n" in text


def first_trials(cells: Sequence[CellResult]) -> list[tuple[CellResult, Trial]]:
    return [(cell, cell.trials[0]) for cell in cells]


def shown(run: StoredRun, width: int) -> str:
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    summary(screen, replace(run, folder=run.folder))
    return "\n".join(line.rstrip() for line in screen.file.getvalue().splitlines())  # type: ignore[attr-defined]  # likewise
