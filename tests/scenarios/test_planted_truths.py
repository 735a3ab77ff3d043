"""Every planted truth, run for real against a real backend: the verdict, the class and the users are those planted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from repro.model import Trial
from repro.orchestration.planning import Request, prepare
from repro.orchestration.session import Options, Session
from repro.world.scenarios import Scenario, list_scenarios

TRUTHS = [name for name in list_scenarios() if name.startswith("known/")]


def tried(name: str, folder: Path, *, wait_out_s: float = 0.0) -> tuple[Scenario, Trial]:
    """One trial of an experiment in this program's own environment."""
    prepared = prepare(Request(experiment=name, python=Path(sys.executable)))
    options = Options(locustfile=prepared.scenario.locustfile, is_untouched=True, wait_out_s=wait_out_s)
    with Session(prepared.plan, options) as session:
        return prepared.scenario, session.trial(prepared.plan.cells[0], 1, folder)


@pytest.mark.parametrize("name", TRUTHS)
def test_what_was_planted_is_found(name: str, tmp_path: Path) -> None:
    scenario, trial = tried(name, tmp_path / "evidence")
    expected = scenario.expected
    wanted = expected["verdict"] if isinstance(expected["verdict"], list) else [expected["verdict"]]
    assert trial.verdict in wanted, trial.reason
    if trial.hang is not None:
        assert trial.hang.hang_class == expected["hang_class"], trial.reason
        assert trial.hang.users_stuck == expected.get("users_stuck", trial.hang.users_stuck), trial.reason
        assert any(rung.answered for rung in trial.rungs)
        assert trial.hang.fingerprint


def test_waiting_a_hang_out_sees_it_recover(tmp_path: Path) -> None:
    _, trial = tried("known/recovers/late", tmp_path / "evidence", wait_out_s=60)
    assert trial.hang is not None, trial.reason
    assert trial.hang.bound.recovered_after_s is not None
    assert trial.hang.bound.recovered_after_s > 0
