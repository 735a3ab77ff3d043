"""Hunts over planted histories: what a trial of each candidate comes to is known, and so is the answer."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from repro.answer import AnswerKind, BisectionRecord, Direction
from repro.core.matrix.cells import cell_verdict
from repro.errors import BackendError
from repro.model import Bound, Cell, CellResult, EnvironmentSpec, Hang, HangClass, Trial, Verdict
from repro.orchestration.hunt.hunt import Found, Hunt
from repro.orchestration.hunt.probes import Candidate
from repro.presentation.hunt.answer_document import answer_document, probe_documents
from repro.presentation.hunt.answers import block_of, sentence_of

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
        self.kept: list[Trial] = []

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


def record(found: Found) -> BisectionRecord:
    """The hunt as its run would keep it."""
    return BisectionRecord(hunted=None, answer=found.answered("p"), probes=tuple(probe.kept for probe in found.probes))


def results(found: Found) -> list[CellResult]:
    """The cells as its run would give them."""
    cells = {probe.candidate.cell.id: probe.candidate.cell for probe in found.probes}
    trials = {name: tuple(p.trial for p in found.probes if p.trial.cell_id == name) for name in cells}
    return [
        CellResult(cell=one, trials=trials[name], verdict=cell_verdict([t.verdict for t in trials[name]]), rate=None)
        for name, one in cells.items()
    ]


def sentence(found: Found) -> str:
    return sentence_of(record(found))


def block(found: Found) -> str:
    return block_of(record(found), results(found), command="repro bisect p")


def test_a_hang_that_always_comes_is_found_with_few_releases() -> None:
    history = History(32, 17)
    found = Hunt(history.candidates, history.probe).run()
    assert found.answer.kind is AnswerKind.FIRST_BAD
    assert (found.answer.index, found.answer.previous) == (17, 16)
    assert len({probe.candidate.name for probe in found.probes}) <= 8
    document = answer_document(record(found))
    assert (document["release"], document["previous"], document["released"]) == ("1.17", "1.16", "2024-01-18")
    assert document["changed"] == {"p": f"{16:012x} → {17:012x}"}
    assert len(probe_documents(record(found), results(found))) == len(found.probes)
    assert "1.17" in block(found)


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
    assert "1.7, 1.8, 1.9" in sentence(found)


def test_releases_that_cannot_be_installed_cost_no_trial() -> None:
    history = History(100, 5, untestable=range(20, 100))
    found = Hunt(history.candidates, history.probe, most_trials=30).run()
    assert (found.answer.index, found.answer.previous) == (5, 4)
    text = block(found)
    assert "and 74 more: untestable" in text
    assert " candidates; 80 cannot be installed" in text


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
    assert "at neither end" in sentence(Hunt(clean.candidates, clean.probe).run())
    assert "at both ends" in sentence(Hunt(bad.candidates, bad.probe).run())


def test_exchanged_ends_are_said_to_be_exchanged() -> None:
    history = History(8, 0)
    found = Hunt(
        history.candidates,
        lambda one, number: (
            history.probe(one, number) if int(one.id, 16) < 4 else history._made(one, number, Verdict.CLEAN)
        ),
    ).run()
    assert found.answer.kind is not AnswerKind.FIRST_BAD
    assert "The older end hangs and the newer one does not" in sentence(found)


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
    assert "Undecided after 5 trials" in sentence(found)


def test_probes_at_once_find_the_same_and_no_trial_is_made_twice() -> None:
    history = History(32, 17)
    found = Hunt(history.candidates, history.probe, jobs=4, keep=history.kept.append).run()
    assert (found.answer.index, found.answer.previous) == (17, 16)
    assert history.kept == [probe.trial for probe in found.probes]
    made = [(trial.cell_id, trial.number) for trial in history.made]
    assert len(set(made)) == len(made)


def test_trials_under_way_when_the_answer_is_certain_are_waited_for_and_count() -> None:
    history = History(8, 4)
    found = Hunt(history.candidates, history.probe, jobs=3).run()
    assert len(found.probes) == len(history.made)


def test_an_interrupted_hunt_keeps_what_had_ended_and_has_the_rest_end() -> None:
    history = History(16, 9)
    cancelled: list[bool] = []

    def interrupted(one: Cell, number: int) -> Trial:
        if len(history.made) == 3:
            raise KeyboardInterrupt
        return history.probe(one, number)

    hunt = Hunt(history.candidates, interrupted, keep=history.kept.append, cancel=lambda: cancelled.append(True))
    with pytest.raises(KeyboardInterrupt):
        hunt.run()
    assert cancelled == [True]
    assert history.kept == history.made
    assert len(history.made) == 3


def test_a_backend_that_is_down_stops_the_hunt_and_blames_no_release() -> None:
    history = History(16, 9)

    def down(one: Cell, number: int) -> Trial:
        if len(history.made) >= 4:
            return history._made(one, number, Verdict.BACKEND)
        return history.probe(one, number)

    with pytest.raises(BackendError, match=r"3 trials in a row could not be judged, the last: backend; .* --resume"):
        Hunt(history.candidates, down, keep=history.kept.append).run()
    again = History(16, 9)
    found = Hunt(again.candidates, again.probe).run(history.kept)
    assert (found.answer.index, found.answer.untestable) == (9, ())


def test_a_hang_with_the_same_cause_is_the_same_whatever_its_class() -> None:
    history = History(16, 9)
    causes = iter([HangClass.UNSTOPPABLE, *[HangClass.FROZEN] * 50])

    def probe(one: Cell, number: int) -> Trial:
        if int(one.id, 16) < 9:
            return history.probe(one, number)
        return history._made(one, number, Verdict.HANG, replace(hang(next(causes)), cause="gevent-1957"))

    assert Hunt(history.candidates, probe).run().answer.index == 9


def test_a_hang_with_another_fingerprint_does_not_count() -> None:
    history = History(16, 12)

    def probe(one: Cell, number: int) -> Trial:
        index = int(one.id, 16)
        if index < 3 or index >= 12:
            what = replace(hang(), fingerprint="aaaa") if index >= 12 else None
            return history._made(one, number, Verdict.HANG if what else Verdict.CLEAN, what)
        return history._made(one, number, Verdict.HANG, replace(hang(), fingerprint="bbbb"))

    found = Hunt(history.candidates, probe).run()
    assert (found.answer.index, found.answer.previous, found.answer.untestable) == (12, 2, tuple(range(3, 12)))
    assert "another hang (unstoppable)" in block(found)


@pytest.mark.parametrize(("first", "window"), [(17, (28, 31)), (2, (28, 31)), (30, (28, 31))])
def test_a_hunt_goes_back_until_it_finds_a_release_that_is_clean(first: int, window: tuple[int, int]) -> None:
    history = History(32, first)
    found = Hunt(history.candidates, history.probe, window=window).run()
    release = found.named(found.answer.index)
    assert release is not None
    assert release.name == f"1.{first}"
    if first == 30:
        assert [one.name for one in found.candidates] == ["1.28", "1.29", "1.30", "1.31"]


def test_a_hunt_goes_on_until_it_finds_a_release_that_hangs() -> None:
    history = History(32, 17)
    found = Hunt(history.candidates, history.probe, window=(0, 3)).run()
    assert found.named(found.answer.index) is history.candidates[17]
    fixed = History(32, 17)
    cured = Hunt(
        fixed.candidates,
        lambda one, number: (
            fixed._made(one, number, Verdict.HANG, hang())
            if int(one.id, 16) < 17
            else fixed._made(one, number, Verdict.CLEAN)
        ),
        window=(0, 3),
        direction=Direction.FIXED,
    ).run()
    assert cured.named(cured.answer.index) is fixed.candidates[17]


def test_going_outward_steps_past_what_cannot_be_tested_and_ends_where_there_is_no_more() -> None:
    history = History(32, 0, untestable=range(20, 31))
    found = Hunt(history.candidates, history.probe, window=(28, 31)).run()
    assert (found.answer.kind, found.answer.always) == (AnswerKind.NO_CHANGE, True)
    assert found.candidates[0].name == "1.0"


def test_the_block_has_the_range_both_sides_and_the_versions() -> None:
    history = History(32, 17)
    found = Hunt(history.candidates, history.probe).run()
    text = block(found)
    assert "range:   p 1.0 (2024-01-01) to 1.31 (2024-02-01), 32 candidates" in text
    assert re.search(r"\nbefore:  0 of \d+ hung \(95 % CI ", text)
    assert re.search(r"\nsince:   \d+ of \d+ hung \(95 % CI ", text)
    assert text.endswith("command: repro bisect p")


def test_what_a_probe_leads_to_is_built_while_it_runs() -> None:
    history = History(32, 17)
    ahead: list[str] = []
    unready: list[str] = []

    def probe(one: Cell, number: int) -> Trial:
        if one.id not in ahead and history.made:
            unready.append(one.id)
        return history.probe(one, number)

    Hunt(history.candidates, probe, build_ahead=lambda one: ahead.append(one.id)).run()
    assert unready == []
    assert len(set(ahead)) < 20
