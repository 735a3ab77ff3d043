"""Blames over planted packages: a real index, environments and processes that block or end as the packages say."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from repro.answer import AnswerKind, BlameKind, BlameRecord, End
from repro.core.matrix.cells import cell_verdict
from repro.model import Bound, Cell, CellResult, EnvironmentSpec, Hang, HangClass, Trial, Verdict
from repro.orchestration.hunt.blame import Accusation, Blaming
from repro.orchestration.hunt.hunt import Hunt
from repro.orchestration.hunt.mixture import PYTHON, Mixer
from repro.orchestration.hunt.probes import Candidate
from repro.presentation.hunt.answer_document import answer_document
from repro.presentation.hunt.answers import block_of, change_text, sentence_of
from repro.world.environments.cache import EnvironmentCache
from repro.world.environments.interpreters import find
from repro.world.environments.releases import releases

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HANG = Hang(
    hang_class=HangClass.DEADLOCKED,
    users_stuck=1,
    users=1,
    stuck_since_s=1.0,
    bound=Bound(at_most_s=None, why=""),
    modules=("beta",),
)
CELL = Cell(id="0" * 12, label="one", scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())


class Trials:
    """Makes trials in the cell's environment: it runs ``load``, which says "blocked" and blocks, or ends."""

    def __init__(self, folder: Path, load: str) -> None:
        self.cache, self.load = EnvironmentCache(folder), load
        self.made = 0

    def __call__(self, cell: Cell, number: int) -> Trial:
        environment = self.cache.ensure(cell.environment)
        self.made += 1
        program = [environment.interpreter, "-I", "-c", self.load, str(self.made)]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            is_blocked = process.stdout.readline().strip() == "blocked"
            process.kill()
        return Trial(
            cell_id=cell.id,
            number=number,
            verdict=Verdict.HANG if is_blocked else Verdict.CLEAN,
            reason="",
            started=BEGAN + timedelta(seconds=self.made),
            seconds=0.1,
            hang=HANG if is_blocked else None,
            versions=environment.versions,
        )


ONLY_TOGETHER = """
import alpha, beta, time
if (alpha.VERSION >= "1.5") and (beta.VERSION >= "2.3"):
    print("blocked", flush=True)
    time.sleep(600)
"""
GOOD = {"alpha": "1.0", "beta": "2.0", "delta": "1.0", "gamma": "1.0", "same": "1.0"}
BAD = {"alpha": "1.8", "beta": "2.5", "delta": "2.0", "gamma": "2.0", "same": "1.0", "added": "1.0"}


@pytest.fixture
def index(package_index):
    """Two packages that hang only together; others that changed; delta 2.0 cannot be had with an old gamma."""
    for minor in range(9):
        package_index.add("alpha", f"1.{minor}", released=date(2024, 1, 1 + minor))
    for minor in range(6):
        package_index.add("beta", f"2.{minor}", released=date(2024, 2, 1 + minor))
    package_index.add("gamma", "1.0")
    package_index.add("gamma", "2.0")
    package_index.add("delta", "1.0")
    package_index.add("delta", "2.0", requires=["gamma>=2"])
    package_index.add("same", "1.0")
    package_index.add("added", "1.0")
    return package_index


def mixer(good: Mapping[str, str] = GOOD, bad: Mapping[str, str] = BAD, *, python: str = "") -> Mixer:
    own = ".".join(find().version.split(".")[:2])
    return Mixer(
        cell=CELL,
        good=End(name="good.txt", versions=good, python=own),
        bad=End(name="bad.txt", versions=bad, python=python or own),
        fixed={},
    )


def blamed(folder: Path, load: str, mixer: Mixer, **options: object) -> tuple[Accusation, Trials]:
    trials = Trials(folder, load)
    blaming = Blaming(mixer=mixer, probe=trials, releases_of=releases, **options)  # type: ignore[arg-type]  # its own
    return blaming.run(), trials


def record(accusation: Accusation) -> BlameRecord:
    """The blame as its run would keep it."""
    end = End(name="", versions={}, python="")
    probes = tuple(probe.kept for probe in accusation.probes)
    return BlameRecord(good=end, bad=end, answer=accusation.answer, probes=probes)


def results(accusation: Accusation) -> list[CellResult]:
    """The cells as its run would give them."""
    cells = {probe.candidate.cell.id: probe.candidate.cell for probe in accusation.probes}
    trials = {name: tuple(p.trial for p in accusation.probes if p.trial.cell_id == name) for name in cells}
    return [
        CellResult(cell=one, trials=trials[name], verdict=cell_verdict([t.verdict for t in trials[name]]), rate=None)
        for name, one in cells.items()
    ]


def sentence(accusation: Accusation) -> str:
    return sentence_of(record(accusation))


@pytest.mark.usefixtures("index")
def test_a_pair_that_hangs_only_together_is_found_and_a_second_time_without_a_trial(tmp_path: Path) -> None:
    accusation, trials = blamed(tmp_path, ONLY_TOGETHER, mixer())
    assert accusation.answer.kind is AnswerKind.FIRST_BAD
    document = answer_document(record(accusation))
    packages = {one["package"]: one for one in document["packages"]}
    assert {name: (one["previous"], one["release"]) for name, one in packages.items()} == {
        "alpha": ("1.4", "1.5"),
        "beta": ("2.2", "2.3"),
    }
    assert packages["alpha"]["together_with"] == ["beta"]
    assert min(one["confidence"] for one in packages.values()) >= 0.95
    assert packages["alpha"]["released"] == "2024-01-06"
    assert len(accusation.answer.cure) == 1
    assert "alpha 1.5" in sentence(accusation)
    assert "only together" in sentence(accusation)
    assert "hung 0 of" in block_of(record(accusation), results(accusation), command="c")
    again = Trials(tmp_path, ONLY_TOGETHER)
    known = [probe.trial for probe in accusation.probes]
    assert trials.made == len(known)
    resumed = Blaming(mixer=mixer(), probe=again, releases_of=releases).run(known)
    assert again.made == 0
    assert answer_document(record(resumed)) == document


@pytest.mark.usefixtures("index")
def test_ends_that_behave_alike_are_no_change(tmp_path: Path) -> None:
    clean, _ = blamed(tmp_path, "", mixer())
    assert (clean.answer.kind, clean.answer.outcome) == (AnswerKind.NO_CHANGE, BlameKind.BAD_IS_CLEAN)
    assert "No hang at the bad end. It hung in 0 of" in sentence(clean)
    always, _ = blamed(tmp_path, "import time; print('blocked', flush=True); time.sleep(600)", mixer())
    assert (always.answer.kind, always.answer.outcome) == (AnswerKind.NO_CHANGE, BlameKind.GOOD_HANGS)
    assert "Hangs at the good end too" in sentence(always)


@pytest.mark.usefixtures("index")
def test_sets_keep_what_they_do_not_take_and_go_as_far_up_as_the_others_let_them() -> None:
    one = mixer()
    assert one.mixed(frozenset()).environment.pins == GOOD
    assert one.mixed(frozenset(one.changes)).environment.pins == BAD
    assert one.mixed(frozenset({"delta"})).environment.pins["delta"] == "1.0"
    both = one.mixed(frozenset({"delta", "gamma"})).environment.pins
    assert (both["delta"], both["gamma"], both["alpha"]) == ("2.0", "2.0", "1.0")
    assert one.mixed(frozenset({"delta"})).id == one.mixed(frozenset()).id
    assert "delta" in one.mixed(frozenset({"delta", "gamma"})).label


@pytest.mark.usefixtures("index")
def test_a_package_that_went_down_or_away_is_a_change_too() -> None:
    one = mixer(BAD, GOOD)
    assert one.mixed(frozenset()).environment.pins == BAD
    assert one.mixed(frozenset(one.changes)).environment.pins == GOOD
    assert "added" not in one.mixed(frozenset({"added"})).environment.pins


def test_another_interpreter_is_a_change_too() -> None:
    one = mixer({}, {}, python="3.12")
    assert list(one.changes) == [PYTHON]
    assert change_text(one.changes[PYTHON]).endswith("3.12")


PLANTED = """
import planted, random, sys, time
is_bad = int(planted.VERSION.partition(".")[2]) >= 18
if is_bad and random.Random(int(sys.argv[1])).random() < 0.3:
    print("blocked", flush=True)
    time.sleep(600)
"""


def test_one_of_32_releases_is_found_although_it_hangs_in_three_of_ten_trials(package_index, tmp_path: Path) -> None:
    for minor in range(1, 33):
        package_index.add("planted", f"1.{minor}", released=date(2024, 1, 1) + timedelta(minor))
    candidates = [
        Candidate(name=str(one), released=one.released, cell=planted_cell(str(one))) for one in releases("planted")
    ]
    assert len(candidates) == 32
    found = Hunt(candidates, Trials(tmp_path, PLANTED), most_trials=300).run()
    release, previous = found.named(found.answer.index), found.named(found.answer.previous)
    assert release is not None
    assert previous is not None
    assert (release.name, previous.name) == ("1.18", "1.17")
    assert found.answer.confidence >= 0.95


def planted_cell(version: str) -> Cell:
    number = int(version.partition(".")[2])
    spec = EnvironmentSpec(python="", pins={"planted": version})
    return Cell(id=f"{number:012x}", label=version, scenario="s", factors={}, settings={}, environ={}, environment=spec)
