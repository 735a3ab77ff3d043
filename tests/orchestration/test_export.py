"""The exported file, run by its own interpreter: it sees the planted hangs by itself, and a clean load ends with 0."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from repro.command import Typed
from repro.core.command.parser import parse
from repro.core.matrix.cells import rate_of
from repro.errors import UsageError
from repro.model import Bound, CellResult, CellVerdict, Hang, HangClass, StoredRun, Trial, Verdict
from repro.orchestration.export import Attempt, Exported, ExportOutcome, Workshop, choose, recipe_of
from repro.orchestration.preparation import RunRequest, prepare
from repro.presentation.reports.reproducer import readme, reproducer
from repro.world.processes import door
from repro.world.runs.kept.load import read_load, read_program
from repro.world.runs.kept.locustfile import read_locustfile

pytestmark = pytest.mark.timed


def hung(name: str, hang_class: HangClass | None, *overrides: str) -> tuple[CellResult, Trial, Path, StoredRun]:
    """The first cell of an experiment as if a trial of it had come to this, its locustfile, its run."""
    prepared = prepare(RunRequest(experiment=name, overrides=overrides, python=Path(sys.executable)))
    (cell, *_) = prepared.plan.cells
    hang = hang_class and Hang(
        hang_class=hang_class,
        users_stuck=3,
        users=10,
        stuck_since_s=1,
        bound=Bound(at_most_s=None, why=""),
        explanation="",
    )
    verdict = Verdict.HANG if hang else Verdict.CLEAN
    trial = Trial(
        cell_id=cell.id,
        number=1,
        verdict=verdict,
        reason="why",
        started=datetime.now(UTC),
        seconds=1,
        hang=hang or None,
        python="3.11.7",
    )
    result = CellResult(cell=cell, trials=(trial,), verdict=CellVerdict(verdict.value), rate=rate_of([verdict]))
    stored = StoredRun(
        folder=Path("my runs/one"),
        run_id="one",
        plan=prepared.plan,
        command="",
        started=datetime.now(UTC),
        ended=None,
        seed=0,
        machine={},
        tool_versions={},
        cells=(result,),
    )
    return result, trial, prepared.scenario.locustfile, stored


def recipe(name: str, hang_class: HangClass | None, *overrides: str):
    result, trial, locustfile, stored = hung(name, hang_class, *overrides)
    return recipe_of(result, trial, title="why", load=read_locustfile(locustfile), run=stored)


def run(name: str, hang_class: HangClass | None, folder: Path) -> door.Completed:
    """The exported file's own run, with time for a slow start, and for a healthy process to end, which takes none."""
    folder.mkdir()
    made = recipe(name, hang_class)
    made = replace(made, grace=20 if name == "known/clean" else 1, seconds=2 * made.seconds)
    (folder / "reproduce.py").write_text(reproducer(made), "utf-8")
    return door.run([sys.executable, "reproduce.py"], cwd=folder, limit_s=300)


def test_the_planted_truths_are_seen_by_the_file_itself(tmp_path: Path) -> None:
    cases = [
        ("known/deadlocked", HangClass.DEADLOCKED),
        ("known/frozen", HangClass.FROZEN),
        ("known/unstoppable", HangClass.UNSTOPPABLE),
        ("known/clean", HangClass.DEADLOCKED),
    ]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda case: run(*case, tmp_path / case[0].replace("/", "-")), cases))
    deadlocked, frozen, unstoppable, clean = done
    assert [one.returncode for one in done] == [1, 1, 1, 0], [one.stdout[-500:] + one.stderr[-500:] for one in done]
    assert re.search("STUCK: [123] of 10 users have ended no task for 2 s", deadlocked.stdout)  # they stop one by one
    assert "with lock:" in deadlocked.stdout
    assert "in work" in frozen.stdout  # the frame that waits, by faulthandler
    assert "users were still running" in unstoppable.stdout
    assert "no hang" in clean.stdout


def test_a_locustfile_of_its_own_takes_its_modules_and_variables_along() -> None:
    made = recipe("known/deadlocked", HangClass.DEADLOCKED)
    assert set(made.modules) == {"planted"}
    assert made.variables["REPRO_QUEUE"] == "reproduce"
    assert made.variables["REPRO_THINK_TIME"] == "0.1"
    assert (made.stall, made.seconds) == (2, 6)  # a load of 4 s would be over before anybody is seen to be stuck


def test_only_a_deadlock_is_watched_for_during_the_load() -> None:
    assert recipe("known/unstoppable", HangClass.UNSTOPPABLE).stall == 0


def test_what_one_file_cannot_hold_is_said(tmp_path: Path) -> None:
    result, trial, _, stored = hung("known/clean", HangClass.FROZEN, "fault=no_answer")
    with pytest.raises(UsageError, match="does not fit into one file; send `repro report 'my runs/one'` instead"):
        recipe_of(result, trial, title="why", load=None, run=stored)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").touch()
    (tmp_path / "mine.py").write_text("import parts\n")
    result, trial, _, stored = hung("known/clean", HangClass.FROZEN)
    with pytest.raises(UsageError, match="imports parts from its own folder"):
        recipe_of(result, trial, title="why", load=read_locustfile(tmp_path / "mine.py"), run=stored)


PACKAGED = {
    "perf/load/file.py": "import load.users\nfrom load.users import Consumer\n",
    "perf/load/__init__.py": "",
    "perf/load/users.py": """
import os
import gevent
from locust import User, constant, tag, task
HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = open(os.path.join(HERE, "..", "names.csv")).read().split()
assert NAMES == ["a", "b"] and os.environ["POOL"] == "7"
class Consumer(User):
    wait_time = constant(0)
    @tag("smoke")
    @task
    def consume(self):
        while True:
            try:
                gevent.sleep(0.1)
            except:
                pass
    @tag("nightly")
    @task
    def fail(self):
        os._exit(3)
""",
    "perf/names.csv": "a\nb\n",
    "perf/locust.conf": "tags = smoke\n",
}


def test_a_command_s_packages_data_variables_and_settings_are_in_the_file(tmp_path: Path) -> None:
    for name, text in PACKAGED.items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_text(text)
    typed_in = Typed(place="perf", locustfile="load/file.py", variables={"POOL": "7", "PYTHONPATH": "src"})
    result, trial, _, stored = hung("known/unstoppable", HangClass.UNSTOPPABLE, "users=2", "seconds=2")
    stored = replace(stored, typed_in=typed_in)
    made = recipe_of(result, trial, title="why", load=read_load(tmp_path / "copy", typed_in), run=stored)
    assert "PYTHONPATH" not in made.variables
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "reproduce.py").write_text(reproducer(replace(made, grace=1)), "utf-8")
    done = door.run([sys.executable, "reproduce.py"], cwd=tmp_path / "file", limit_s=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 of 2 users were still running" in done.stdout


def test_the_recipe_of_a_program_has_its_words_its_time_and_no_load(tmp_path: Path) -> None:
    (tmp_path / "perf").mkdir()
    (tmp_path / "perf" / "job.py").write_text("print()\n")
    line, typed_in = parse(("python", "-u", "job.py", "--queue", "{queue}")), Typed(place="perf")
    result, trial, _, stored = hung("known/script-in-lock", HangClass.FROZEN, "seconds=8")
    load = read_program(tmp_path, line, typed_in)
    made = recipe_of(result, trial, title="why", load=load, run=replace(stored, typed=line, typed_in=typed_in))
    assert made.command == ("-u", "job.py", "--queue", "reproduce")
    assert (made.path, made.place, made.seconds, made.stall, made.is_burning) == ("perf/job.py", "perf", 8, 4, False)
    spun = replace(trial, hang=replace(trial.hang, hang_class=HangClass.SPINNING))
    assert recipe_of(result, spun, title="why", load=load, run=stored).is_burning


def test_an_amplified_program_and_the_reports_pattern_as_one_are_refused() -> None:
    result, trial, locustfile, stored = hung("known/script-in-lock", HangClass.FROZEN, "amplify=gc")
    with pytest.raises(UsageError, match="an amplified program does not fit"):
        recipe_of(result, trial, title="why", load=read_locustfile(locustfile), run=stored)
    result, trial, _, stored = hung("locust-2637/single", HangClass.FROZEN, "launch=script")
    with pytest.raises(UsageError, match="the report's pattern run as a plain program does not fit"):
        recipe_of(result, trial, title="why", load=None, run=stored)


def test_a_variable_of_the_cell_comes_along_with_the_reports_pattern_too() -> None:
    result, trial, _, stored = hung("locust-2637/single", HangClass.UNSTOPPABLE, "env.LOCUST_SKIP_URLLIB3_PATCH=1")
    made = recipe_of(result, trial, title="why", load=None, run=stored)
    assert made.variables == {"LOCUST_SKIP_URLLIB3_PATCH": "1"}
    assert "os.environ.update({'LOCUST_SKIP_URLLIB3_PATCH': '1'})" in reproducer(made)


def test_the_proof_says_how_often_and_when(tmp_path: Path) -> None:
    attempts = (
        Attempt(ExportOutcome.CLEAN, 8.0, ""),
        Attempt(ExportOutcome.HANG, 9.4, ""),
        Attempt(ExportOutcome.HANG, 12.0, ""),
    )
    assert Exported(folder=tmp_path, lines=1, proof=attempts).seen == "hung 2 of 3, first after 9 s"
    assert Exported(folder=tmp_path, lines=1, proof=attempts[:1]).seen == "hung 0 of 1"
    assert not Exported(folder=tmp_path, lines=1, proof=attempts[:1]).has_hung


def test_the_finished_file_is_run_from_its_own_folder_wherever_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = iter(("print('HANG: here'); raise SystemExit(1)", "raise SystemExit(1)", "pass"))
    workshop = Workshop(
        render=lambda _: f"# /// script\n# dependencies = []\n# ///\n{next(texts)}\n", say=lambda _: None
    )
    whole = recipe("known/clean", HangClass.FROZEN)
    seen = [workshop.prove(whole, Path(name), runs=1).seen for name in ("one", "two", "three")]
    assert seen[0].startswith("hung 1 of 1, first after")
    assert seen[1:] == ["hung 0 of 1, 1 of them failed", "hung 0 of 1"]


@pytest.mark.parametrize("outcome", list(ExportOutcome))
def test_the_readme_claims_what_the_proof_has_shown(outcome: ExportOutcome, tmp_path: Path) -> None:
    made = Exported(folder=tmp_path, lines=1, proof=(Attempt(outcome, 8.0, ""),))
    text = readme(recipe("known/clean", HangClass.FROZEN), seen=made.seen, has_hung=made.has_hung, command="c")
    assert ("shows it by itself" in text, "did not when it was tried" in text) == (made.has_hung, not made.has_hung)


def test_a_file_that_is_not_run_has_shown_nothing(tmp_path: Path) -> None:
    workshop = Workshop(render=reproducer, say=lambda _: None)
    exported = workshop.prove(recipe("known/clean", HangClass.FROZEN), tmp_path / "bug", runs=0)
    assert not exported.has_hung
    assert exported.lines == (tmp_path / "bug" / "reproduce.py").read_text("utf-8").count("\n")


def test_of_the_cells_that_hung_the_one_asked_for_is_taken(tmp_path: Path) -> None:
    result, trial, _, _ = hung("known/clean", HangClass.FROZEN)
    clean, *_ = hung("known/clean", None)

    class Run:
        folder = tmp_path
        cells = (replace(clean, cell=replace(clean.cell, id="0" * 12)), result)

    assert choose(Run, None) == (result, trial)
    assert choose(Run, result.cell.id[:4]) == (result, trial)
    with pytest.raises(UsageError, match="no cell '0000' hung"):
        choose(Run, "0000")
    unanswered = replace(trial, hang=replace(trial.hang, hang_class=HangClass.UNANSWERED))
    Run.cells = (replace(result, trials=(unanswered,)),)
    with pytest.raises(UsageError, match="is between client and backend"):
        choose(Run, None)
