"""What is shown while a run or a hunt goes on: what is under way, how long it still takes, why it hangs."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from repro.model import HangClass, StoredRun, Verdict
from repro.orchestration.trial.status import Stage, TrialStatus
from repro.presentation.live import screen as screens
from repro.presentation.live.durations import TimeLeft, about
from repro.presentation.live.hunt import HuntProgress
from repro.presentation.live.run import Progress
from repro.presentation.live.screen import Screen
from repro.presentation.live.under_way import STAGES, UnderWay

HEIGHT = 30


@pytest.fixture
def run(stored: Callable[..., StoredRun]) -> StoredRun:
    return stored(text="t", cells=4, trials=2)


def status(stage: Stage, *, cell_id: str = "0" * 12, number: int = 1, **more: object) -> TrialStatus:
    return TrialStatus(cell_id=cell_id, number=number, stage=stage, began=time.monotonic() - 6, **more)


def terminal(width: int, *, is_terminal: bool = True) -> Console:
    return Console(
        file=io.StringIO(), width=width, height=HEIGHT, force_terminal=is_terminal, color_system=None, _environ={}
    )


def text_of(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]  # the one from above


def drawn(progress: Progress | HuntProgress, console: Console) -> list[str]:
    """What the terminal shows now, below what was said."""
    beside = terminal(console.width)
    beside.print(progress._drawn())
    return [line.rstrip() for line in text_of(beside).splitlines()]


# What is under way


def test_every_stage_has_its_words() -> None:
    assert set(STAGES) == set(Stage)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (status(Stage.STARTING), "starting 0 s"),
        (status(Stage.LOAD, ended=500, per_s=1_412.3), "load 0 s, 1,412 operations/s"),
        (status(Stage.STOPPING, per_s=0.0), "stopping 0 s, 0 operations/s"),
        (status(Stage.COLLECTING, verdict=Verdict.CLEAN), "clean, collecting evidence 0 s"),
        (
            status(Stage.COLLECTING, verdict=Verdict.HANG, hang_class=HangClass.FROZEN),
            "hang (frozen), collecting evidence 0 s",
        ),
    ],
)
def test_a_trial_says_what_it_is_at(told: TrialStatus, shown: str) -> None:
    under_way = UnderWay()
    under_way.on_status(told)
    assert under_way.trials(lambda _: "urllib3 2.2.1") == [f"{shown}  urllib3 2.2.1"]
    under_way.ended(told.cell_id, told.number)
    assert under_way.trials(lambda _: "") == []


def test_an_environment_is_shown_until_it_is_there() -> None:
    under_way = UnderWay()
    under_way.on_build("gevent==24.2.1")
    assert under_way.builds() == ["building 0 s  gevent==24.2.1"]
    under_way.on_built("gevent==24.2.1")
    assert under_way.builds() == []


def test_of_many_trials_the_others_are_counted() -> None:
    under_way = UnderWay()
    for number in range(64):
        under_way.on_status(status(Stage.LOAD, number=number))
    lines = under_way.trials(lambda _: "")
    assert (len(lines), lines[-1]) == (9, "and 56 more")


# How long


def test_the_time_left_is_from_the_trials_that_have_ended_and_before_from_the_load(run: StoredRun) -> None:
    loads = tuple(replace(cell, settings={"seconds": 15}) for cell in run.plan.cells)
    left = TimeLeft(replace(run.plan, cells=loads), jobs=2)
    assert left.text(8, ()) == "up to 80 s left"
    left.add(60)
    assert left.text(8, ()) == "up to 4 min left"
    assert left.text(8, (30, 200)) == f"up to {about((8 * 60 - 30 - 60) / 2)} left"
    assert left.text(1, ()) == "up to 60 s left"  # one trial is not divided among two
    assert left.text(0, ()) == "done"
    assert left.text(2, (70, 50)) == f"up to {about(10 / 2)} left"
    assert left.text(1, (70,)) == "longer than expected"  # its users are still waited for


def test_a_guess_has_no_more_digits_than_it_is_worth() -> None:
    assert [about(3), about(44), about(130), about(7_000)] == ["10 s", "40 s", "2 min", "1 h 57 min"]


# A run on a terminal


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("cells", [1, 4, 200])
def test_it_fits_the_terminal(width: int, cells: int, stored: Callable[..., StoredRun]) -> None:
    run, console = stored(text="a long level " * 3, cells=cells, trials=3), terminal(width)
    progress = Progress(run.plan, console, jobs=12)
    for cell in run.plan.cells[:12]:
        progress._running[cell.id] += 1
        progress.under_way.on_status(status(Stage.LOAD, cell_id=cell.id, per_s=3.0))
    progress.under_way.on_build("locust==2.24.0 " * 20)
    lines = drawn(progress, console)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) < HEIGHT
    assert sum("load 0 s" in line for line in lines) == min(cells, 8)


def test_a_terminal_shows_verdicts_stages_environments_and_the_time_left(run: StoredRun) -> None:
    console = terminal(80)
    first, second, *_ = run.plan.cells
    with Progress(run.plan, console, jobs=2) as progress:
        progress.trial_began(first, 1)
        progress.trial_began(second, 1)
        progress.under_way.on_status(status(Stage.LOAD, cell_id=second.id, per_s=412.0))
        progress.building("gevent==24.2.1")
        progress.trial_ended(first, run.cells[0].trials[0], left=6)
        lines = drawn(progress, console)
    assert lines[0].split() == ["n", "launch"]
    assert lines[1].split() == ["H", "0", "t", "cli"]
    assert lines[2].split() == ["…", "0", "t", "library"]
    assert lines[-4:] == [
        "H hang  … under way",
        "load 0 s, 412 operations/s  0 t, library",
        "building 0 s  gevent==24.2.1",
        "1 of up to 7 trials in 0 s; up to 10 s left, besides the environments",
    ]


def test_the_reason_of_a_hang_stays_on_the_terminal_and_is_said_once(run: StoredRun) -> None:
    console = terminal(80)
    cell = run.cells[0]
    with Progress(run.plan, console, jobs=1) as progress:
        for trial in cell.trials:
            progress.trial_began(cell.cell, trial.number)
            progress.trial_ended(cell.cell, replace(trial, reason="who holds the lock"), left=1)
    assert text_of(console).count("hang (frozen)        0 t, cli") == 2
    assert text_of(console).count("  who holds the lock") == 1


# A run elsewhere


def test_a_line_a_trial_has_only_what_varies(run: StoredRun) -> None:
    console = terminal(240, is_terminal=False)
    with Progress(run.plan, console, jobs=1) as progress:
        progress.trial_ended(run.plan.cells[1], run.cells[1].trials[0], left=0)
    assert text_of(console) == "clean                  1.5 s  n=0 t launch=library  [done]\n"


def test_the_only_cell_is_named_once(stored: Callable[..., StoredRun]) -> None:
    run, console = stored(text="t", cells=1, trials=2), terminal(240, is_terminal=False)
    with Progress(run.plan, console, jobs=1) as progress:
        for trial in run.cells[0].trials:
            progress.trial_began(run.plan.cells[0], trial.number)
            progress.trial_ended(run.plan.cells[0], trial, left=2 - trial.number)
    first, second, _, third = text_of(console).splitlines()
    assert first == "running      n=0 t"
    assert ["trial 1" in second, "trial 2" in third] == [True, True]


def test_long_silence_is_broken_by_a_line_of_progress(run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    console = terminal(240, is_terminal=False)
    with Progress(run.plan, console, jobs=1) as progress:
        progress.under_way.on_status(status(Stage.LOAD, cell_id=run.plan.cells[1].id, per_s=7.0))
        progress.tick()
        assert text_of(console) == ""
        monkeypatch.setattr(screens, "SILENCE_S", 0.0)
        progress.tick()
        monkeypatch.setattr(screens, "SILENCE_S", 30.0)
        progress.tick()
    (line,) = text_of(console).splitlines()
    assert line.startswith("under way            load 0 s, 7 operations/s n=0 t launch=library  [up to ")


# A hunt


def test_a_hunt_shows_its_probes_and_below_them_what_is_under_way() -> None:
    console = terminal(80)
    names = {"0" * 12: "urllib3 2.2.1"}
    with HuntProgress(console, name_of=names.__getitem__, most_trials=200) as progress:
        progress.under_way.on_status(status(Stage.LOAD, per_s=9.0))
        progress.at("likeliest: 1.26.16, 63 %")
        assert drawn(progress, console) == [
            "load 0 s, 9 operations/s  urllib3 2.2.1",
            "0 probes in 0 s, at most 200; likeliest: 1.26.16, 63 %",
        ]
        progress.probed("0" * 12, 1, "clean   2.2.1")
        assert drawn(progress, console) == ["1 probe in 0 s, at most 200; likeliest: 1.26.16, 63 %"]
    assert "clean   2.2.1\n" in text_of(console)


def test_nothing_of_a_level_reaches_the_terminal_as_a_control_character(stored: Callable[..., StoredRun]) -> None:
    run, console = stored(cells=4), terminal(400)
    progress = Progress(run.plan, console, jobs=1)
    progress.under_way.on_status(status(Stage.LOAD, cell_id=run.plan.cells[0].id))
    progress.under_way.on_build(f"[bold]{run.plan.cells[0].label}")
    text = "\n".join(drawn(progress, console))
    assert "[bold]n=0" in text  # markup is text
    assert "load 0 s, 0 operations/s  0 <" in text
    assert not [sign for sign in text if not sign.isprintable() and sign != "\n"]


def test_nobody_draws_but_who_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that drew by itself would take the interpreter from the threads that judge."""
    monkeypatch.setattr(screens, "REDRAW_S", 0.05)
    calls: list[float] = []
    with Screen(terminal(80), draw=lambda: calls.append(1.0) or "", progress=lambda: "") as screen:
        time.sleep(0.3)
        assert calls == []
        screen.tick()
        screen.tick()
    assert len(calls) == 1


# On workers elsewhere


@pytest.mark.parametrize(
    ("hosts", "jobs", "shown"),
    [
        (["alpha"], 1, "1 trial at once on alpha"),
        (["alpha", "beta"], 4, "4 trials at once on alpha, beta"),
        (list("abcdefg"), 28, "28 trials at once on a, b, c, d, e and 2 more"),
    ],
)
def test_where_the_trials_run_is_said(run: StoredRun, hosts: list[str], jobs: int, shown: str) -> None:
    console = terminal(100, is_terminal=False)
    progress = Progress(run.plan, console, jobs=1)
    progress.runs_on(hosts, jobs=jobs)
    assert text_of(console) == f"workers      {shown}\n"
