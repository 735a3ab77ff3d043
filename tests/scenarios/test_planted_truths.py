"""Every planted truth, run for real against a real backend: the verdict, the class and the users are those planted."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from repro.model import Trial, TrialOptions
from repro.orchestration.preparation import Prepared, RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.orchestration.trial.trial import run_trial
from repro.presentation.hang.explanation import reason_of
from repro.world.shipped.names import list_scenarios

pytestmark = pytest.mark.timed

TRUTHS = [name for name in list_scenarios() if name.startswith("known/")]
BURNING = {"known/all-failing", "known/deep-queue", "known/gigabyte", "known/spinning", "known/spinning-loop"}
BURNING |= {"known/spinning-one"}
"""Truths that burn a core, or make the backend do so: one at a time, when the others are through."""
USUAL_S, LIGHT_S = 0.1, 0.4
"""Seconds between a user's operations, as most truths are shipped and as they are run here."""
AT_ONCE = 3
"""The others mostly wait: so many of them at once take a third of the time."""


@functools.cache
def prepared(name: str) -> Prepared:
    """An experiment in this program's own environment, under a light load: the usual one is most of what a trial costs."""
    request = RunRequest(experiment=name, python=Path(sys.executable))
    as_shipped = prepare(request)
    if as_shipped.plan.cells[0].settings.get("think_time") != USUAL_S:
        return as_shipped
    return prepare(replace(request, overrides=(f"think_time={LIGHT_S}",)))


@pytest.fixture(scope="module")
def trials(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Trial]]]:
    """One trial of each truth that is asked for, under way."""
    chosen = [item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")]
    names = [name for name in TRUTHS if name in chosen]
    folder = tmp_path_factory.mktemp("truths")
    plan = prepared("known/clean").plan
    options = SessionOptions(TrialOptions(locustfile=prepared("known/clean").scenario.locustfile, is_untouched=True))
    with Session(plan, options) as session, ThreadPoolExecutor(AT_ONCE) as idle, ThreadPoolExecutor(1) as burning:
        environment = session.environment_of(plan.cells[0]).result()

        def tried(name: str) -> Trial:
            truth = prepared(name)
            own = replace(session.services.options, locustfile=truth.scenario.locustfile)
            services = replace(session.services, options=own, limits=truth.plan.limits)
            return run_trial(truth.plan.cells[0], environment, number=1, folder=folder / name, services=services)

        found = {name: idle.submit(tried, name) for name in names if name not in BURNING}
        others = tuple(found.values())

        def tried_alone(name: str) -> Trial:
            for other in others:
                other.exception()
            return tried(name)

        yield found | {name: burning.submit(tried_alone, name) for name in names if name in BURNING}


@pytest.mark.parametrize("name", TRUTHS)
def test_what_was_planted_is_found(name: str, trials: dict[str, Future[Trial]]) -> None:
    trial, expected = trials[name].result(), prepared(name).scenario.expected
    wanted = expected["verdict"] if isinstance(expected["verdict"], list) else [expected["verdict"]]
    assert trial.verdict in wanted, reason_of(trial)
    if trial.hang is not None:
        assert trial.hang.hang_class == expected["hang_class"], reason_of(trial)
        assert trial.hang.users_stuck == expected.get("users_stuck", trial.hang.users_stuck), reason_of(trial)
        assert any(rung.answered for rung in trial.rungs)
        assert trial.hang.fingerprint


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("known/unstoppable-except", "unstoppable-except.py:stubborn, line 12"),
        ("known/unstoppable-replaced", "RuntimeError: closed in the middle of a request"),
    ],
)
def test_what_became_of_a_user_s_exit_is_named(name: str, words: str, trials: dict[str, Future[Trial]]) -> None:
    assert words in reason_of(trials[name].result())


@pytest.mark.parametrize("name", ["known/collection"])
def test_a_collection_that_never_ended_is_evidence(name: str, trials: dict[str, Future[Trial]]) -> None:
    trial = trials[name].result()
    assert trial.findings is not None
    assert trial.findings.collection is not None
    assert trial.findings.collection.in_main
    assert trial.findings.collection.turns > 0
    assert "A garbage collection that began" in reason_of(trial)
    assert "a finalizer in it switches greenlets" in reason_of(trial)


def test_waiting_a_hang_out_sees_it_recover(tmp_path: Path) -> None:
    late = prepared("known/recovers/late")
    options = SessionOptions(TrialOptions(locustfile=late.scenario.locustfile, is_untouched=True, wait_out_s=60))
    with Session(late.plan, options) as session:
        trial = session.trial(late.plan.cells[0], 1, tmp_path / "evidence")
    assert trial.hang is not None, reason_of(trial)
    assert trial.hang.bound.recovered_after_s is not None
    assert trial.hang.bound.recovered_after_s > 0
