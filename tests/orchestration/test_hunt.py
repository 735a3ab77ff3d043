"""Hunts over planted histories: what a trial of each candidate comes to is known, and so is the answer."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

from repro.core.bisection import AnswerKind, Direction
from repro.model import Bound, Cell, EnvironmentSpec, Hang, HangClass, Trial, Verdict
from repro.orchestration.hunt import Candidate, Hunt, answer_document, block_of, documents_of, sentence_of

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class History:
    """A history of releases: ``rate`` of hangs from ``first`` on; some cannot be tested, some hang in another way."""

    def __init__(self, n: int, first: int, rate: float = 1.0, *, untestable=(), other=(), seed: int = 1) -> None:
        self.candidates = [
            Candidate(name=f"1.{i}", released=date(2024, 1, 1) + timedelta(i), cell=cell(f"{i:012x}")) for i in range(n)
        ]
        self.first, self.rate, self.untestable, self.other = first, rate, set(untestable), set(other)
        self.chance = random.Random(seed)
        self.made: list[Trial] = []

    def probe(self, one: Cell, number: int) -> Trial:
        index = int(one.id, 16)
        if index in self.untestable:
            return self._made(one, number, Verdict.UNTESTABLE)
        if index in self.other:
            return self._made(one, number, Verdict.HANG, hang(HangClass.UNANSWERED))
        hung = index >= self.first and self.chance.random() < self.rate
        return self._made(one, number, Verdict.HANG if hung else Verdict.CLEAN, hang() if hung else None)

    def _made(self, one: Cell, number: int, verdict: Verdict, what: Hang | None = None) -> Trial:
        trial = Trial(
            cell_id=one.id,
            number=number,
            verdict=verdict,
            reason=verdict.value,
            started=BEGAN + timedelta(seconds=len(self.made)),
            seconds=1.0,
            hang=what,
            versions={"p": one.id, "same": "1"},
        )
        self.made.append(trial)
        return trial


def cell(name: str) -> Cell:
    return Cell(id=name, label=name, scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())


def hang(kind: HangClass = HangClass.UNSTOPPABLE) -> Hang:
    return Hang(
        hang_class=kind, users_stuck=1, users=2, stuck_since_s=1.0, bound=Bound(at_most_s=None, why=""), explanation="e"
    )


def test_a_hang_that_always_comes_is_found_with_few_releases() -> None:
    history = History(32, 17)
    found = Hunt(history.candidates, history.probe).run()
    assert found.answer.kind is AnswerKind.FIRST_BAD
    assert (found.answer.index, found.answer.previous) == (17, 16)
    assert len({probe.candidate.name for probe in found.probes}) <= 8
    document = answer_document(found, package="p", sentence="s")
    assert (document["release"], document["previous"], document["released"]) == ("1.17", "1.16", "2024-01-18")
    assert document["changed"] == {"p": f"{16:012x} → {17:012x}"}
    assert len(documents_of(found.probes)) == len(found.probes)
    assert "1.17" in block_of(found, package="p", sentence=sentence_of(found, package="p"), command="c")


def test_a_flaky_hang_is_found_in_most_histories() -> None:
    right = 0
    for seed in range(20):
        history = History(32, 17, 0.3, seed=seed)
        found = Hunt(history.candidates, history.probe, most_trials=200).run()
        right += found.answer.index == 17
    assert right >= 17  # at 95 % confidence each, fewer has a chance below 2 %


def test_what_cannot_be_tested_is_stepped_past_and_said() -> None:
    history = History(16, 9, untestable=(7, 8, 9))
    found = Hunt(history.candidates, history.probe).run()
    assert (found.answer.index, found.answer.previous, found.answer.untestable) == (10, 6, (7, 8, 9))
    assert "1.7, 1.8, 1.9" in sentence_of(found, package="p")


def test_releases_that_cannot_be_installed_cost_no_trial() -> None:
    history = History(100, 5, untestable=range(20, 100))
    found = Hunt(history.candidates, history.probe, most_trials=30).run()
    assert (found.answer.index, found.answer.previous) == (5, 4)
    assert "more untestable" in block_of(found, package="p", sentence="s", command="c")


def test_another_hang_does_not_count() -> None:
    history = History(16, 12, other=(3, 4, 5, 6))
    found = Hunt(history.candidates, history.probe).run()
    assert found.answer.index == 12
    assert all(probe.hang is None for probe in found.probes if int(probe.candidate.cell.id, 16) in history.other)


def test_the_first_fixed_release_is_found() -> None:
    history = History(12, 0)
    probe = history.probe
    found = Hunt(
        history.candidates,
        lambda one, number: probe(one, number) if int(one.id, 16) < 5 else history._made(one, number, Verdict.CLEAN),
        direction=Direction.FIXED,
    ).run()
    assert (found.answer.kind, found.answer.index, found.answer.previous) == (AnswerKind.FIRST_FIXED, 5, 4)


def test_ends_that_behave_alike_are_no_change() -> None:
    clean, bad = History(8, 8), History(8, 0)
    assert "at neither end" in sentence_of(Hunt(clean.candidates, clean.probe).run(), package="p")
    assert "at both ends" in sentence_of(Hunt(bad.candidates, bad.probe).run(), package="p")


def test_exchanged_ends_are_said_to_be_exchanged() -> None:
    history = History(8, 0)
    found = Hunt(
        history.candidates,
        lambda one, number: (
            history.probe(one, number) if int(one.id, 16) < 4 else history._made(one, number, Verdict.CLEAN)
        ),
    ).run()
    assert found.answer.kind is not AnswerKind.FIRST_BAD
    assert "the older end hangs and the newer one does not" in sentence_of(found, package="p")


def test_a_hunt_goes_on_from_stored_trials() -> None:
    history = History(32, 17)
    whole = Hunt(history.candidates, history.probe).run()
    stored = history.made[:4]
    again = History(32, 17)
    found = Hunt(again.candidates, again.probe).run(stored)
    assert found.answer.index == whole.answer.index
    assert len(again.made) == len(whole.probes) - 4


def test_too_many_trials_are_said_to_leave_it_open() -> None:
    history = History(64, 40, 0.2)
    found = Hunt(history.candidates, history.probe, most_trials=5).run()
    assert found.answer.kind is AnswerKind.UNKNOWN
    assert "not settled after 5 trials" in sentence_of(found, package="p")
