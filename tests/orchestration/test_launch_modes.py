"""Every way to launch Locust, for real: which processes there are, what runs beside the users, and that a hang is seen in each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from repro.core.judge.samples import Role
from repro.model import HangClass, Trial, TrialOptions, Verdict
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.orchestration.trial.trial import run_trial
from repro.presentation.hang.explanation import reason_of
from repro.world.collecting.flight import Fleet

pytestmark = pytest.mark.timed

KNOWN = Path(__file__).parents[2] / "scenarios" / "known"
TELLING = """
import os
import sys

sys.path.insert(0, {known!r})
from planted import QueueUser  # isort: skip

import locust  # isort: skip


class Healthy(QueueUser):
    @locust.task
    def work(self):
        self.exchange()


@locust.events.quitting.add_listener
def tell(**_):
    for name in ("statistics_stats.csv", "statistics_stats_history.csv"):
        there = os.path.exists(name)
        sys.stderr.write("%s: %s\\n" % (name, open(name).read().strip().splitlines()[-1] if there else "missing"))
"""


@pytest.fixture(scope="module")
def tried() -> Iterator[Callable[..., Trial]]:
    """``tried(folder, "known/clean", "launch=spawn")`` is a trial of that; all have one backend, and an account each."""
    usual = prepare(RunRequest(experiment="known/clean", python=Path(sys.executable)))
    options = SessionOptions(TrialOptions(locustfile=usual.scenario.locustfile, is_untouched=True))
    with Session(usual.plan, options) as session:

        def answer(folder: Path, experiment: str, *overrides: str, locustfile: Path | None = None) -> Trial:
            asked = RunRequest(
                experiment=experiment, overrides=overrides, python=Path(sys.executable), locustfile=locustfile
            )
            chosen = prepare(asked)
            own = replace(session.services.options, locustfile=chosen.scenario.locustfile)
            services = replace(session.services, options=own, limits=chosen.plan.limits)
            cell = chosen.plan.cells[0]
            environment = session.environment_of(cell).result()
            return run_trial(cell, environment, number=1, folder=folder, services=services)

        yield answer


def roles(folder: Path) -> list[Role]:
    """The role of each process that was seen, those that only started others included."""
    fleet = Fleet(folder)
    try:
        return sorted(reading.role for reading in fleet.read())
    finally:
        fleet.close()


@pytest.mark.parametrize(
    ("launch", "expected"),
    [
        ("library", [Role.LOCAL]),
        ("process", [Role.NONE, Role.LOCAL]),
        ("spawn", [Role.NONE, Role.LOCAL]),
    ],
)
def test_as_a_library_it_is_clean_seen_and_its_statistics_are_printed_and_written(
    launch: str, expected: list[Role], tmp_path: Path, tried
) -> None:
    locustfile, folder = tmp_path / "telling.py", tmp_path / "evidence"
    locustfile.write_text(TELLING.format(known=str(KNOWN)))
    patience = "limits.stop_grace_s=20"  # costs nothing: a healthy process has ended long before
    trial = tried(folder, "known/clean", f"launch={launch}", "seconds=3", patience, locustfile=locustfile)
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert trial.operations.ended > 20
    assert trial.longest_wait is not None
    assert 0 < trial.longest_wait.seconds < trial.seconds
    assert roles(folder) == expected
    printed, _, written = (folder / "stderr.txt").read_text().partition("statistics_stats.csv: ")
    assert "# reqs" in printed
    assert "Aggregated" in printed
    assert written.count("Aggregated") == 2, written


def test_every_process_of_a_distributed_load_is_seen_and_a_hang_in_a_worker_too(tmp_path: Path, tried) -> None:
    folder = tmp_path / "evidence"
    trial = tried(folder, "known/deadlocked", "launch=distributed", "workers=3", "seconds=20")
    assert trial.verdict is Verdict.HANG, reason_of(trial)
    assert trial.hang is not None
    assert trial.hang.hang_class is HangClass.DEADLOCKED
    assert roles(folder) == [Role.NONE, Role.MASTER, Role.WORKER, Role.WORKER, Role.WORKER]


@pytest.mark.parametrize("launch", ["library", "process", "distributed"])
def test_users_that_cannot_be_made_are_a_crash_at_once_however_it_is_launched(
    launch: str, tmp_path: Path, tried
) -> None:
    trial = tried(tmp_path / "evidence", "known/user-not-made", f"launch={launch}", "seconds=40")
    assert trial.verdict is Verdict.CRASH, reason_of(trial)
    assert "no_such_option" in reason_of(trial)
    assert "__init__" in reason_of(trial)
    assert trial.seconds < 40


MASTERLESS = """
import os
import sys

sys.path.insert(0, {known!r})
from planted import QueueUser  # isort: skip

import locust  # isort: skip
from locust.runners import MasterRunner  # isort: skip


class Healthy(QueueUser):
    @locust.task
    def work(self):
        self.exchange()


@locust.events.init.add_listener
def die(environment, **_):
    if isinstance(environment.runner, MasterRunner):
        os._exit(3)
"""


def test_workers_whose_master_died_are_not_waited_for(tmp_path: Path, tried) -> None:
    locustfile = tmp_path / "masterless.py"
    locustfile.write_text(MASTERLESS.format(known=str(KNOWN)))
    limit = "limits.start_s=40"
    trial = tried(tmp_path / "evidence", "known/clean", "launch=distributed", "seconds=3", limit, locustfile=locustfile)
    assert trial.verdict is Verdict.CRASH, reason_of(trial)
    assert "exit code 3" in reason_of(trial)
