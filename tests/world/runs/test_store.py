"""A run's folder under everything that can happen to it: other writers, kill -9, full disks, damaged and foreign files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from repro.answer import (
    AnswerKind,
    BisectionAnswer,
    BisectionRecord,
    BisectionRequest,
    BlameAnswer,
    BlameKind,
    BlameRecord,
    Direction,
    End,
    GuiltyPackage,
    HuntedRange,
    KeptProbe,
    ReleaseTrials,
    VersionChange,
)
from repro.core.intervals import interval
from repro.core.matrix.conclusion import conclude
from repro.errors import ExitCode, StoreError
from repro.findings import (
    Awaited,
    BackendFindings,
    CauseMatch,
    Ending,
    Findings,
    HeldBy,
    Holder,
    Phase,
    Place,
    Program,
    RaisedAt,
    RowName,
    Said,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    StuckGroup,
    StuckUsers,
    Swallowed,
    Unseen,
    Waiting,
    WaitKind,
    Who,
    Whom,
)
from repro.model import (
    Bound,
    Cell,
    CellOutcome,
    CellVerdict,
    CleanMeans,
    Conclusion,
    Condition,
    ConditionKind,
    EnvironmentSpec,
    Hang,
    HangClass,
    Limits,
    Moment,
    NoEffect,
    Operations,
    Plan,
    Rung,
    RungKind,
    Trial,
    Verdict,
)
from repro.world.runs.store import (
    FILE,
    MAKING,
    SCHEMA_VERSION,
    RunStore,
    create_run,
    find_run,
    list_runs,
    open_run,
    read_run,
)

LIMIT_S = 120.0
STARTED = datetime(2024, 3, 15, 12, 30, 1, 234567, tzinfo=UTC)


def cell(name: str) -> Cell:
    spec = EnvironmentSpec(python="3.11", pins={"locust": "2.24.0"}, requires=("boto3",), as_of=date(2024, 3, 15))
    factors = {"users": 20, "read_timeout": 0.5, "tls": True, "locust": "2.24.0"}
    return Cell(
        id=name, label=f"users={name}", scenario="s", factors=factors, settings={"users": 20, "tls": True},
        environ={"A": "1"}, environment=spec,
    )  # fmt: skip


PLAN = Plan(
    experiment="my", scenario="s", cells=(cell("a"), cell("b")), varied=("users",), trials=3,
    limits=Limits(stall_after_s=2),
)  # fmt: skip
HANG = Hang(
    hang_class=HangClass.DEADLOCKED, users_stuck=3, users=20, stuck_since_s=1.5,
    bound=Bound(at_most_s=None, ending=Ending.WAIT_HAS_NO_TIMEOUT, recovered_after_s=float("inf")),
    fingerprint="f00", cause="known", modules=("a", "b"),
)  # fmt: skip
AT = Place("a.py", 1, "f", "lock.acquire()")
LOCK = Awaited(WaitKind.LOCK, is_native=True, lock="pool.mutex")
HOLDER = Holder(Whom.USER, 2, "task", HeldBy.BLOCK, "with lock", "b.py", 7, "g", is_certain=False)
SPOT = Spot(SpotKind.CALL, AT, wait=LOCK, who=Who(Whom.USER, 3))
GROUP = StuckGroup(3, AT, LOCK)
DROPPED = Swallowed("<x>", "OSError", ("a.py:f", "b.py:g"))
FINDINGS = Findings(
    row=RowName.LOCKED, phase=Phase.STOPPING, since_s=1.5, silent_s=12.25, load_s=8, seconds=8, users=20, ended=4, failed=1,
    iterations=9, iteration_errors=2, exit_code=None,
    stuck=StuckUsers(count=3, busy=2, sending=1, operations=(("Receive", 2),), connecting=1, elsewhere=("h:1",), largest=GROUP,
                     waits=(Waiting(count=3, wait=LOCK, holder=HOLDER), Waiting(count=1, wait=None))),
    program=Program(cores=0.5, has_users=True, is_stopped=True, at=SPOT, holder=HOLDER, loop=SPOT),
    said=Said(error="e", traceback="t", last_words="w", raised=RaisedAt("r", AT), dropped=(DROPPED, 2), dropped_exit=None),
    backend=BackendFindings(reason="refused", open_requests=0, overflows=4, unserved=2, refusals=5), unseen=Unseen(users=1, processes=2),
    cause=CauseMatch(id="known", title="a", cure="b", shown_by="c", frames=("a.py:f",), versions=(("a", "1", "<2"),)),
    stacks=(Stack(of=StackOf.HOLDER, frames=(AT,), is_cut=True, lock="pool.mutex", holder=HOLDER),
            Stack(of=StackOf.MAIN_THREAD, frames=(AT,), spot=SPOT), Stack(of=StackOf.GROUP, frames=(), group=GROUP)),
)  # fmt: skip


def trial(name: str, number: int, verdict: Verdict = Verdict.CLEAN, **more: object) -> Trial:
    made = Trial(cell_id=name, number=number, verdict=verdict, reason="ran", started=STARTED, seconds=8.5)
    return replace(made, **more)  # type: ignore[arg-type]  # names of its fields


WHOLE = trial(
    "a", 1, Verdict.HANG, reason="", findings=FINDINGS, hang=HANG, operations=Operations(begun=5, ended=4, failed=1), seed=7, python="3.11.7",
    timeline=(Moment(second=0, ended=4, stuck=0, alive=20), Moment(second=1, ended=0, stuck=3, alive=20)),
    rungs=(
        Rung(kind=RungKind.LOOP, pid=7, answered=True, seconds=0.2, file="g.json"),
        Rung(kind=RungKind.KERNEL, pid=7, answered=False, seconds=1),
    ),
    versions={"locust": "2.24.0"}, evidence="evidence/a-1", command="repro run",
)  # fmt: skip


CONCLUSION = Conclusion(
    cells=2,
    clean=1,
    outcomes=(
        CellOutcome(
            verdict=CellVerdict.HANG,
            cells=1,
            of=2,
            explanations=(
                (
                    (
                        Condition(
                            kind=ConditionKind.AT_LEAST,
                            levels=({"k": 2.5, "on": True},),
                            neighbour={"k": 1, "on": False},
                        ),
                    ),
                ),
            ),
        ),
    ),
    no_effect=(NoEffect(factors=("client",)),),
    clean_means=CleanMeans(trials=3, operations=70, could_have_missed=0.63),
    causes={"gevent-1957": 2},
)
HUNT = BisectionRecord(
    hunted=HuntedRange(
        asked=BisectionRequest(
            package="Locust", good="2.14.2", bad=None, find=Direction.BAD, days=None, pre=False, yanked=True
        ),
        factor="locust",
        released={"2.14.2": date(2023, 1, 2), "2.24.0": None},
        window=(0, 1),
    ),
    answer=BisectionAnswer(
        kind=AnswerKind.FIRST_BAD,
        package="locust",
        confidence=0.97,
        releases=(ReleaseTrials(name="2.14.2", trials=3), ReleaseTrials(name="2.24.0", hangs=2, trials=2)),
        release="2.24.0",
        previous="2.14.2",
        changed=(VersionChange(package="locust", good="2.14.2", bad="2.24.0"),),
    ),
    probes=(KeptProbe(release="2.24.0", cell_id="a", number=1, hang=None),),
)


def new(folder: Path) -> RunStore:
    return create_run(
        folder, plan=PLAN, command="repro run my", seed=7, machine={"cores": "2"}, tool_versions={"repro": "1"}
    )


def numbers(folder: Path) -> list[tuple[str, int]]:
    return [(one.cell_id, one.number) for result in read_run(folder).cells for one in result.trials]


def test_what_is_stored_is_read_back_the_same(tmp_path: Path) -> None:
    with new(tmp_path / "run") as store:
        store.add_trial(WHOLE)
        store.add_trial(trial("a", 2))
        store.add_trial(trial("b", 1, Verdict.CRASH))
        assert store.read() == read_run(tmp_path / "run")
        assert store.read().ended is None
        store.set_conclusion(CONCLUSION)
        store.set_hunt(HUNT)
        store.finish()
    run = read_run(tmp_path / "run")
    assert run.plan == PLAN
    levels = list(run.plan.cells[0].factors.values())
    assert [type(one) for one in levels] == [int, float, bool, str]
    first, second = run.cells
    assert first.trials == (WHOLE, trial("a", 2))
    assert (first.verdict, first.rate) == ("hang", interval(1, 2))
    assert (second.verdict, second.rate) == ("crash", None)
    assert (run.run_id, run.command, run.seed) == ("run", "repro run my", 7)
    assert (run.machine, run.tool_versions) == ({"cores": "2"}, {"repro": "1"})
    assert run.conclusion == CONCLUSION
    assert run.hunt == HUNT
    assert (tmp_path / "run" / FILE).read_bytes()[
        68:72
    ] == b"repr"  # how it is distinguished from any other SQLite file
    assert run.ended is not None
    assert run.started <= run.ended <= datetime.now(UTC)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["evidence", "run.lock", "run.sqlite"]


def test_a_run_whose_conclusion_was_kept_in_words_is_concluded_from_again(tmp_path: Path) -> None:
    with new(tmp_path / "run") as store:
        store.add_trial(trial("a", 1))
    with contextlib.closing(sqlite3.connect(tmp_path / "run" / FILE)) as connection, connection:
        connection.execute("INSERT INTO facts VALUES ('hangs_when', 'no hang in 1 of 1 cells that could be judged')")
        connection.execute("PRAGMA user_version=1")
    found = read_run(tmp_path / "run")
    assert found.conclusion == conclude(found.cells, found.plan.varied)
    with open_run(tmp_path / "run") as store:
        store.set_conclusion(CONCLUSION)
    assert read_run(tmp_path / "run").conclusion == CONCLUSION


def test_as_long_as_nobody_has_concluded_there_is_no_conclusion(tmp_path: Path) -> None:
    with new(tmp_path / "run") as store:
        store.add_trial(trial("a", 1))
        assert store.read().conclusion is None


def test_a_blame_is_read_back_the_same(tmp_path: Path) -> None:
    change = VersionChange(package="alpha", good="1.0", bad=None)
    blame = BlameRecord(
        good=End(name="good.txt", versions={"alpha": "1.0"}, python="3.11"),
        bad=End(name="2024-03-15", versions={}, python="3.12"),
        answer=BlameAnswer(
            outcome=BlameKind.FOUND,
            changed=(change,),
            packages=(GuiltyPackage(change=change, confidence=0.95, released=date(2024, 1, 6), is_tied=True),),
            culprits=(("alpha",),),
            cure=("alpha",),
            cure_confidence=0.96,
        ),
    )
    with new(tmp_path / "run") as store:
        store.set_hunt(blame)
        assert store.read().hunt == blame


def test_a_hunt_that_an_earlier_release_kept_as_a_document_is_read(tmp_path: Path) -> None:
    with new(tmp_path / "run"):
        pass
    document = {
        "hunted": None,
        "answer": {"kind": "unknown", "confidence": 0.0, "sentence": "interrupted"},
        "probes": [],
    }
    with contextlib.closing(sqlite3.connect(tmp_path / "run" / FILE)) as file, file:
        file.execute("INSERT INTO facts VALUES ('hunt', ?)", (json.dumps(document),))
        file.execute("PRAGMA user_version=1")
    assert read_run(tmp_path / "run").hunt == BisectionRecord(hunted=None, cut_short="interrupted")
    with open_run(tmp_path / "run") as store:
        store.set_hunt(HUNT)
    assert read_run(tmp_path / "run").hunt == HUNT


@pytest.mark.parametrize("text", ["half \ud83d of a pair", "\udcff", "nul \x00 and \x1b[31m", "日本 🦗\n\t"])
def test_whatever_a_cell_printed_can_be_stored(text: str, tmp_path: Path) -> None:
    with new(tmp_path / "run") as store:
        stack = replace(FINDINGS.stacks[0], frames=(replace(AT, code=text),))
        findings = replace(FINDINGS, stacks=(stack,))
        store.add_trial(trial("a", 1, Verdict.HANG, reason=text, findings=findings, hang=replace(HANG, stacks=(text,))))
        store.set_conclusion(replace(CONCLUSION, no_effect=(NoEffect(factors=(text,)),)))
        store.set_hunt(BisectionRecord(hunted=None, cut_short=text))
        found = store.read()
    expected = text.encode("utf-8", "replace").decode()
    (stored,) = found.cells[0].trials
    assert stored.hang is not None
    assert stored.findings is not None
    assert found.conclusion is not None
    code = stored.findings.stacks[0].frames[0].code
    concluded = found.conclusion.no_effect[0].factors
    assert [stored.reason, stored.hang.stacks[0], code, *concluded] == [expected] * 4
    assert found.hunt == BisectionRecord(hunted=None, cut_short=expected)


def test_evidence_is_stored_relative_so_that_a_run_can_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with new(Path("run")) as store:
        places = [
            str(store.evidence_folder("a", 1)),
            str(store.evidence_folder("a", 2).absolute()),
            "evidence/a-3",
            "/elsewhere/a-4",
            "",
        ]
        for number, place in enumerate(places, 1):
            store.add_trial(trial("a", number, evidence=place))
    shutil.move("run", "moved")
    evidence = [one.evidence for one in read_run(tmp_path / "moved").cells[0].trials]
    assert evidence == ["evidence/a-1", "evidence/a-2", "evidence/a-3", "/elsewhere/a-4", ""]


def test_a_trial_that_is_made_anew_replaces_the_old_one(tmp_path: Path) -> None:
    with new(tmp_path / "run") as store:
        store.add_trial(trial("a", 1, Verdict.INTERRUPTED))
        store.add_trial(trial("a", 1))
        assert [one.verdict for one in store.read().cells[0].trials] == ["clean"]


def test_a_resumed_run_goes_on_with_what_was_finished(tmp_path: Path) -> None:
    with new(tmp_path / "run") as store:
        for number, verdict in enumerate(Verdict, 1):
            store.add_trial(trial("a", number, verdict))
        store.finish()
    with open_run(tmp_path / "run") as store:
        left_out = set(Verdict) - {one.verdict for one in store.finished_trials()}
        assert left_out == {Verdict.INTERRUPTED, Verdict.ERROR}
        assert store.read().ended is None
        store.add_trial(trial("b", 1))
    assert numbers(tmp_path / "run")[-1] == ("b", 1)


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    with new(tmp_path / "run") as store:
        store.add_trial(trial("a", 1))
    with pytest.raises(StoreError, match="already holds a run; continue it with --resume, or choose another folder"):
        new(tmp_path / "run")
    assert numbers(tmp_path / "run") == [("a", 1)]


WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_store as this
folder = Path(sys.argv[1])
store = this.open_run(folder) if (folder / this.FILE).exists() else this.new(folder)
for number in range(1, int(sys.argv[3]) + 1):
    store.add_trial(this.trial("a", number, reason="x" * 5000))
    (folder / "said").write_text(str(number))
time.sleep(600 if sys.argv[4] == "stay" else 0)
store.close()
"""


def writer(folder: Path, *, trials: int, then: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", WRITER, str(folder), str(Path(__file__).parent), str(trials), then]
    return subprocess.Popen(argv, stderr=subprocess.DEVNULL)


def said(folder: Path) -> int:
    file = folder / "said"
    return int(file.read_text() or 0) if file.exists() else 0


def await_said(folder: Path, number: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while said(folder) < number:
        assert time.monotonic() < deadline, "the writer never got so far"
        time.sleep(0.01)


def test_a_second_writer_is_refused_while_the_first_one_lives_and_readers_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = writer(folder, trials=2, then="stay")
    try:
        await_said(folder, 2)
        for attempt in (open_run, new):
            with pytest.raises(StoreError, match=r"another program is writing the run in .*; wait until it has ended"):
                attempt(folder)
        assert numbers(folder) == [("a", 1), ("a", 2)]
        assert [run.trials for run in list_runs(tmp_path)] == [2]
    finally:
        first.kill()
        first.wait()
    with open_run(folder) as store:
        assert len(store.finished_trials()) == 2


def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    victim = writer(folder, trials=100_000, then="stay")
    await_said(folder, 25)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait(LIMIT_S) == -signal.SIGKILL
    stored = numbers(folder)
    assert stored == [("a", number) for number in range(1, len(stored) + 1)]
    assert len(stored) >= max(25, said(folder))
    with open_run(folder) as store:
        store.add_trial(trial("b", 1))
        assert len(store.finished_trials()) == len(stored) + 1
    assert not list(folder.glob("run.sqlite-*"))


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with new(folder) as store:
        for number in range(1, 200):
            store.add_trial(trial("a", number, reason="x" * 500))
    whole = (folder / FILE).read_bytes()
    for damaged in (b"not a database at all" * 100, whole[:100] + bytes(len(whole) - 100), whole[: len(whole) // 2]):
        (folder / FILE).write_bytes(damaged)
        for attempt in (read_run, open_run):
            with pytest.raises(StoreError) as caught:
                attempt(folder)
            assert "\n" not in str(caught.value)
            assert str(folder) in str(caught.value)
            assert "the run must be made again" in str(caught.value)
        (listed,) = list_runs(tmp_path)
        assert "the run must be made again" in listed.problem
        with pytest.raises(StoreError, match=r"the latest run cannot be read: .* is damaged"):
            find_run(None, tmp_path)


def test_an_older_run_is_never_taken_silently_for_the_latest_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("older", "newer"):
        new(tmp_path / name).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "newer" / FILE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert [(run.folder.name, bool(run.problem)) for run in list_runs(tmp_path)] == [("newer", True), ("older", False)]
    words = r"newer/run\.sqlite was written by a newer repro .*; to use an older run anyway, name it: .*older$"
    with pytest.raises(StoreError, match=words):
        find_run(None, tmp_path)
    assert find_run("older", tmp_path) == tmp_path / "older"


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> None:
    with new(folder) as store:
        for number in range(1, 1000):
            store.add_trial(trial("a", number, reason="x" * 5000))


@pytest.mark.parametrize("size", ["16k", "48k", "64k", "128k", "300k"])
def test_a_full_disk_is_called_full_wherever_it_ends(size: str, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size) as disk, pytest.raises(StoreError) as caught:
        fill(disk / "run")
    assert str(caught.value).endswith("; free some space, then continue with --resume")


@pytest.mark.parametrize("name", ["full-matrix", "No space left on device", "disk is full"])
def test_a_path_that_speaks_of_space_does_not_make_another_error_a_full_disk(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="make sure that the folder can be read and written"):
        new(tmp_path / name / "run")


def test_a_document_that_lacks_something_is_damage(tmp_path: Path) -> None:
    new(tmp_path / "run").close()
    with sqlite3.connect(tmp_path / "run" / FILE) as connection:
        connection.execute("INSERT INTO trials VALUES ('a', 1, 'clean', '{\"cell_id\": \"a\"}')")
    connection.close()
    with pytest.raises(StoreError, match=r"run\.sqlite is damaged \(.*\); the evidence beside it can still be read"):
        read_run(tmp_path / "run")


def test_somebody_elses_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    for attempt in (read_run, open_run):
        with pytest.raises(StoreError, match=r"run\.sqlite was not written by repro"):
            attempt(tmp_path)
    for folder, words in (
        (tmp_path, "already holds a run"),
        (tmp_path / FILE, "make sure that the folder can be read"),
    ):
        with pytest.raises(StoreError, match=words):
            new(folder)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_run_of_an_older_release_is_read_and_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with new(folder) as store:
        store.add_trial(WHOLE)
    with contextlib.closing(sqlite3.connect(folder / FILE)) as connection, connection:
        (text,) = connection.execute("SELECT document FROM trials").fetchone()
        document = json.loads(text)
        document["rungs"] = [
            {
                "name": "greenlets, event loop, process 7",
                "answered": True,
                "seconds": 0.2,
                "file": "g.json",
                "refusal": "",
            },
            {"name": "kernel", "answered": False, "seconds": 1.0, "file": "", "refusal": ""},
        ]
        del document["findings"]
        document["reason"] = document["hang"]["explanation"] = "3 of 20 users are parked for good."
        document["hang"] |= {"cause_text": "This is known.", "stacks": ["a.py:1 f\nb.py:2 g"]}
        document["hang"]["bound"] = {"at_most_s": None, "why": "nothing ends it", "recovered_after_s": None}
        del document["hang"]["modules"]
        connection.execute("UPDATE trials SET document = ?", (json.dumps(document),))
        connection.execute("PRAGMA user_version=1")
    loop, kernel = WHOLE.rungs
    told = "3 of 20 users are parked for good."
    hang = replace(
        HANG, modules=(), explanation=told, cause_text="This is known.", stacks=("a.py:1 f\nb.py:2 g",),
        bound=Bound(at_most_s=None, why="nothing ends it"),
    )  # fmt: skip
    rungs = (loop, replace(kernel, pid=0))  # of one process nothing said which
    as_of_today = replace(WHOLE, rungs=rungs, findings=None, reason=told, hang=hang)
    assert read_run(folder).cells[0].trials == (as_of_today,)
    with open_run(folder) as store:
        store.add_trial(trial("a", 2))
        assert store.read().cells[0].trials == (as_of_today, trial("a", 2))


def test_whoever_looks_while_a_run_is_made_sees_it_whole_or_not_at_all(tmp_path: Path) -> None:
    said: set[str] = set()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            for folder in folders:
                try:
                    read_run(folder)
                except StoreError as error:
                    said.add(str(error).partition(": ")[2])

    folders = [tmp_path / str(number) for number in range(10)]
    reader = threading.Thread(target=look)
    reader.start()
    for folder in folders:
        folder.mkdir()
        (folder / MAKING).write_bytes(b"half a file of a program that was killed")
        new(folder).close()
    is_over.set()
    reader.join()
    assert said <= {f"it has no {FILE}; `repro list runs` shows the runs"}
    assert not list(tmp_path.rglob(MAKING))


def test_a_newer_schema_asks_for_a_newer_program(tmp_path: Path) -> None:
    new(tmp_path / "run").close()
    with sqlite3.connect(tmp_path / "run" / FILE) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    for attempt in (read_run, open_run):
        with pytest.raises(StoreError, match=r"newer repro \(schema 3, this one reads up to 2\); upgrade repro"):
            attempt(tmp_path / "run")


def test_a_folder_without_a_run_says_how_to_find_one(tmp_path: Path) -> None:
    for attempt in (read_run, open_run):
        with pytest.raises(StoreError, match=r"is not a run: it has no run\.sqlite; `repro list runs` shows"):
            attempt(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert StoreError.exit_code is ExitCode.FAILED


def test_runs_are_listed_the_latest_first_and_found_by_name_or_path(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with new(tmp_path / name) as store:
            store.add_trial(WHOLE)
            store.add_trial(trial("b", 1))
    with open_run(tmp_path / "first") as store:
        store.finish()
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / FILE).write_text("x" * 2000)
    os.utime(tmp_path / "broken" / FILE, (1, 1))
    *runs, broken = list_runs(tmp_path)
    assert (broken.folder.name, broken.trials) == ("broken", 0)
    assert "is damaged" in broken.problem
    assert [(run.folder.name, run.experiment, run.cells, run.trials, run.hangs, run.is_finished) for run in runs] == [
        ("second", "my", 2, 2, 1, False),
        ("first", "my", 2, 2, 1, True),
    ]
    assert find_run(None, tmp_path) == tmp_path / "second"
    assert find_run("first", tmp_path) == tmp_path / "first"
    for path in (tmp_path / "first", tmp_path / "first" / FILE):
        assert find_run(str(path), tmp_path / "nowhere") == tmp_path / "first"
    with pytest.raises(
        StoreError, match=r"third is not a run, neither under .* nor as a path; `repro list runs` shows"
    ):
        find_run("third", tmp_path)
    with pytest.raises(StoreError, match=r"no run was found in .*nowhere; make one with `repro run`"):
        find_run(None, tmp_path / "nowhere")
    assert list_runs(tmp_path / "nowhere") == ()


def printed(code: str, folder: Path, *before: str | Path) -> list[str]:
    """The lines that a child prints which has all of this module and goes on with ``code``."""
    child = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_store import *\n{code}"
    argv = [*before, sys.executable, "-c", child, folder]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def mounted(script: str, folder: Path) -> list[str]:
    """What stands before a command that is to see a mount which nobody else sees."""
    before = ["unshare", "-rm", "sh", "-c", f'set -e; {script.replace("HERE", str(folder))}; exec "$@"', "sh"]
    if subprocess.run([*before, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    return before


READ_ONLY = "mount --bind HERE HERE; mount -o remount,bind,ro HERE HERE"
READ = """
folder = Path(sys.argv[1])
print(len(read_run(folder / "run").cells[0].trials), len(list_runs(folder)))
for attempt in (open_run, lambda path: new(path.with_name("other"))):
    try:
        attempt(folder / "run")
    except StoreError as error:
        print(error)
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_run_in_a_read_only_folder_can_be_read_and_not_gone_on_with(*, is_killed: bool, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = writer(folder, trials=3, then="stay" if is_killed else "go")
    await_said(folder, 3)
    if is_killed:
        first.kill()
    first.wait(LIMIT_S)
    assert bool(list(folder.glob("*-wal"))) is is_killed
    found, *refusals = printed(READ, tmp_path, *mounted(READ_ONLY, tmp_path))
    assert found == "3 1"
    assert len(refusals) == 2
    for refusal in refusals:
        assert "Read-only file system" in refusal
        assert refusal.endswith("make sure that the folder can be read and written")


FILL = """
folder = Path(sys.argv[1]) / "run"
store = new(folder)
number = 0
try:
    while number < 10_000:
        store.add_trial(trial("a", number + 1, reason="x" * 5000))
        number += 1
except StoreError as error:
    print(error)
make_room()
store.add_trial(trial("b", 1))
store.close()
assert numbers(folder) == [*(("a", n + 1) for n in range(number)), ("b", 1)], numbers(folder)
print(number)
"""


def test_a_full_disk_says_so_and_loses_nothing(tmp_path: Path) -> None:
    room = "filler = Path(sys.argv[1]) / 'filler'; make_room = filler.unlink; filler.write_bytes(bytes(300_000))"
    text, number = printed(room + FILL, tmp_path, *mounted("mount -t tmpfs -o size=900k none HERE", tmp_path))
    assert "full" in text
    assert text.endswith("free some space, then continue with --resume")
    assert 5 < int(number) < 200


def test_a_file_that_may_not_grow_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    limit = (
        "import resource\n"
        "def limit(most): resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))\n"
        "def make_room(): limit(resource.RLIM_INFINITY)\n"
        "limit(300_000)\n"
    )
    text, number = printed(limit + FILL, tmp_path)
    assert text.startswith(f"the run in {tmp_path / 'run'} cannot be read or written (")
    assert 5 < int(number) < 200
