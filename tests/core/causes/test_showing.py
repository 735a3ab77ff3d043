"""What the cells of a cause come to: as its file claims, or news, and the gravest news decides the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from packaging.specifiers import SpecifierSet

from repro.core.causes.known_causes import Cause, CausePattern
from repro.core.causes.showing import Outcome, Role, Showing, exit_code, gravest, shown
from repro.core.matrix.cells import cell_verdict
from repro.errors import ExitCode
from repro.findings import CauseMatch, Findings, RowName
from repro.model import Cell, CellResult, EnvironmentSpec, Trial, Verdict

CAUSE = Cause(
    id="x-1",
    title="x 1",
    classes=("frozen",),
    packages={"gevent": SpecifierSet("<25")},
    evidence=(CausePattern(frames=("a.py:f",)),),
    cure="gevent 25",
    shown_by="x",
)
CELL = Cell(id="c", label="", scenario="x", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
OLD, NEW = {"gevent": "24.2.1"}, {"gevent": "26.8.0"}


def trial(verdict: str, cause: str = "", versions: dict[str, str] = OLD) -> Trial:
    match = CauseMatch(id=cause, title="", cure="", shown_by="") if cause else None
    return Trial(
        cell_id="c", number=1, verdict=Verdict(verdict), started=datetime.now(UTC), seconds=1.0,
        findings=Findings(row=RowName.LOOP_STANDS, cause=match), versions=versions,
    )  # fmt: skip


def result(trials: Sequence[Trial]) -> CellResult:
    verdict = cell_verdict([one.verdict for one in trials])
    return CellResult(cell=CELL, trials=tuple(trials), verdict=verdict, rate=None)


@pytest.mark.parametrize(
    ("role", "trials", "outcome"),
    [
        (Role.HANGS, [trial("clean"), trial("hang", "x-1")], Outcome.AS_CLAIMED),
        (Role.HANGS, [trial("crash", "x-1")], Outcome.AS_CLAIMED),
        (Role.HANGS, [trial("clean"), trial("clean")], Outcome.NOT_SEEN),
        (Role.HANGS, [trial("hang", "x-2")], Outcome.UNRECOGNISED),
        (Role.HANGS, [trial("hang")], Outcome.UNRECOGNISED),
        (Role.HANGS, [trial("crash")], Outcome.UNRECOGNISED),
        (Role.HANGS, [trial("untestable")], Outcome.UNTESTABLE),
        (Role.HANGS, [trial("backend")], Outcome.FAILED),
        (Role.HANGS, [trial("inconclusive")], Outcome.UNTESTABLE),
        (Role.HANGS, [], Outcome.UNTESTABLE),
        (Role.CURED, [trial("clean"), trial("clean")], Outcome.AS_CLAIMED),
        (Role.CURED, [trial("clean"), trial("hang", "x-1")], Outcome.CURE_LOST),
        (Role.CURED, [trial("hang")], Outcome.CURE_LOST),
        (Role.CURED, [trial("crash")], Outcome.CURE_LOST),
        (Role.CURED, [trial("clean"), trial("crash")], Outcome.UNTESTABLE),
        (Role.CURED, [trial("error")], Outcome.FAILED),
        (Role.NEWEST, [trial("clean", versions=NEW)], Outcome.AS_CLAIMED),
        (Role.NEWEST, [trial("hang", versions=NEW)], Outcome.CAME_BACK),
        (Role.NEWEST, [trial("hang", "x-1")], Outcome.AS_CLAIMED),
        (Role.NEWEST, [trial("clean")], Outcome.NOT_SEEN),
        (Role.NEWEST_CURED, [trial("hang", versions=NEW)], Outcome.CURE_LOST),
    ],
)
def test_a_cell_comes_to_what_its_role_and_its_versions_make_of_it(
    role: Role, trials: list[Trial], outcome: Outcome
) -> None:
    assert shown(CAUSE, role, result(trials)).outcome is outcome


def test_what_was_seen_is_counted_among_the_trials_that_tell_anything() -> None:
    part = shown(CAUSE, Role.HANGS, result([trial("error"), trial("clean"), trial("hang", "x-1")]))
    assert (part.seen, part.of) == (1, 2)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((Role.HANGS, "hang", "x-1", Role.CURED, "clean"), ExitCode.NO_HANG),
        ((Role.HANGS, "clean", "", Role.CURED, "clean"), ExitCode.INCONCLUSIVE),
        ((Role.HANGS, "clean", "", Role.CURED, "hang"), ExitCode.HANG),
        ((Role.HANGS, "backend", "", Role.CURED, "clean"), ExitCode.FAILED),
        ((Role.HANGS, "hang", "x-1", Role.CURED, "interrupted"), ExitCode.INTERRUPTED),
    ],
)
def test_the_gravest_news_decides_the_exit_code(outcomes: tuple[Role, str, str, Role, str], code: ExitCode) -> None:
    first, verdict, cause, second, other = outcomes
    parts = (
        shown(CAUSE, first, result([trial(verdict, cause)])),
        shown(CAUSE, second, result([trial(other)])),
    )
    assert exit_code([Showing(CAUSE, parts)]) is code


def test_nothing_shown_is_no_success() -> None:
    assert gravest([]) is Outcome.UNTESTABLE
    assert exit_code([]) is ExitCode.INCONCLUSIVE


def test_cells_that_could_not_be_run_to_their_end_are_a_failure() -> None:
    done = shown(CAUSE, Role.HANGS, result([trial("hang", "x-1")]))
    assert Showing(CAUSE, (done,), error="moto did not start").outcome is Outcome.FAILED
    assert exit_code([Showing(CAUSE, (), error="moto did not start")]) is ExitCode.FAILED
