"""``amplify`` and ``--replay`` on a planted truth: what is run, and that the knob raises the hang and leaves the twin alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from repro.model import Effort, HangClass, Trial, TrialOptions, Until, Verdict
from repro.orchestration.preparation import Prepared, RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of


def prepared(*overrides: str, effort: Effort | None = None) -> Prepared:
    """In this program's own environment."""
    request = RunRequest(
        experiment="known/rare-pieces", overrides=overrides, python=Path(sys.executable), effort=effort or Effort()
    )
    return prepare(request)


@pytest.mark.parametrize(
    ("given", "levels"),
    [
        ("all", ["all", "gc", "stop", "dns", "threads", "io", "none"]),
        ("none,gc+io", ["none", "gc+io", "gc", "io"]),
        ("none", ["none"]),
    ],
)
def test_a_replay_runs_each_knob_alone_and_none(given: str, levels: list[str]) -> None:
    plan = prepared(f"amplify={given}", effort=Effort(until=Until.ALL, replays=7)).plan
    assert [cell.settings["amplify"] for cell in plan.cells] == levels
    assert len(prepared(f"amplify={given}").plan.cells) == len(given.split(","))


def test_a_replayed_seed_is_that_of_every_trial() -> None:
    replayed = TrialOptions(locustfile=Path("x"), seed=7, is_replay=True)
    assert {replayed.of_trial(number).seed for number in (1, 2, 9)} == {7}
    assert TrialOptions(locustfile=Path("x"), seed=7).of_trial(2).seed == 9


def tried(folder: Path, *overrides: str) -> Trial:
    ready = prepared(*overrides)
    options = SessionOptions(TrialOptions(locustfile=ready.scenario.locustfile, is_untouched=True))
    with Session(ready.plan, options) as session:
        return session.trial(ready.plan.cells[0], 1, folder)


@pytest.mark.timed
def test_an_answer_in_two_pieces_raises_the_hang_and_not_its_twin(tmp_path: Path) -> None:
    hung = tried(tmp_path / "hung", "amplify=io")
    assert hung.hang is not None, reason_of(hung)
    assert hung.hang.hang_class is HangClass.DEADLOCKED
    assert hung.findings is not None
    assert hung.findings.amplified is not None
    assert hung.findings.amplified.moments > 0
    twin = tried(tmp_path / "twin", "amplify=io", "defect=false")
    assert twin.verdict is Verdict.CLEAN, reason_of(twin)
