"""``rounds`` and ``amplify=stop``: within one trial all users are stopped and started again, and each stop is a chance to hang."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from repro.model import TrialOptions, Verdict
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of
from repro.world.collecting.flight import Fleet

pytestmark = pytest.mark.timed


@pytest.mark.parametrize("setting", ["rounds=1", "amplify=stop"])
def test_users_are_stopped_and_started_again_and_each_stop_counts(setting: str, tmp_path: Path) -> None:
    rounds = prepare(RunRequest(experiment="known/clean", overrides=(setting,), python=Path(sys.executable)))
    options = SessionOptions(TrialOptions(locustfile=rounds.scenario.locustfile, is_untouched=True))
    with Session(rounds.plan, options) as session:
        trial = session.trial(rounds.plan.cells[0], 1, tmp_path / "evidence")
    made = sum(reading.rounds + reading.amplified["stop"] for reading in Fleet(tmp_path / "evidence").read())
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert trial.exposure is not None
    assert made >= 1
    assert trial.exposure.stops == 10 * (made + 1)
