"""The ladder on real processes that are stuck each in its own way: which rungs answer is what tells them apart."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from repro.core.hang.dump import Dump, document, read_dump
from repro.core.hang.frames import gil_owner, main_frames, read_debugger, read_faulthandler
from repro.core.hang.groups import View, blocked_main, native_call
from repro.core.hang.waits import parked
from repro.model import Rung, RungKind
from repro.world.collecting import ptrace
from repro.world.collecting.flight import Fleet, FlightRecord
from repro.world.collecting.ladder import ALL, NEEDLESS_LIMIT_S, SILENT_LIMIT_S, Target, climb, climb_all
from repro.world.collecting.memory import MemoryReading
from repro.world.processes import door

pytestmark = pytest.mark.timed

CHILD = Path(__file__).parent / "children" / "stuck.py"
BOOT = Path(__file__).parents[3] / "repro" / "agent" / "boot.py"
STACKS = signal.SIGUSR2
START_S = 30.0
UNREADABLE = "greenlet==0.4.17"
PAIRS = [
    ("3.8", "gevent==20.12.1", UNREADABLE),
    ("3.11", "gevent==24.2.1", "greenlet==3.0.3"),
    ("3.13", "gevent"),
]
LOOP, THREAD, DEBUGGER, KERNEL, MEMORY, FAULTS = ALL[1:]
UNDISTURBED = [kind for kind in ALL if kind not in {DEBUGGER, MEMORY}]
"""The rungs that are asked where the agent answers by loop and thread."""
UNSIGNALLED = [kind for kind in ALL if kind is not FAULTS]
"""Those that are asked where the agent does not, and memory does."""


@contextmanager
def stuck(how: str, folder: Path, *, users: int = 3, interpreter: Path | str = sys.executable) -> Iterator[Target]:
    env = {
        "REPRO_LAUNCH": "script",
        "REPRO_LOCUSTFILE": str(CHILD),
        "REPRO_TRIAL_DIR": str(folder),
        "REPRO_STACKS_SIGNAL": str(int(STACKS)),
        "STUCK": how,
        "USERS": str(users),
    }
    output = door.Output(folder / "stdout.txt", folder / "stderr.txt")
    child = door.start([interpreter, BOOT], env=env, cwd=folder, output=output, mark=f"stuck-{how}")
    fleet = Fleet(folder)
    try:
        wait_for(lambda: (folder / "ready").exists() or child.poll() is not None)
        assert child.returncode is None, output.stderr.read_text()
        record = next(record for record in fleet.records() if record.pid == child.pid)
        if how in {"native", "gil"}:
            wait_for(lambda: time.monotonic() - record.read().loop_at > 1.0)
        yield target(child, record, folder)
    finally:
        child.end()
        fleet.close()


def target(child: door.Child, record: FlightRecord, folder: Path) -> Target:
    def asker(kind: str, ask: Callable[[], int], done: Callable[[], int]) -> Callable[[float], Path | None]:
        def answer(limit_s: float) -> Path | None:
            number = ask()
            wait_for(lambda: done() >= number, limit_s=limit_s, is_needed=False)
            return folder / f"greenlets-{kind}-{child.pid}.json" if done() >= number else None

        return answer

    return Target(
        pid=child.pid,
        flight_record=record.path,
        ask_loop=asker("loop", record.ask_loop_dump, record.loop_dump_done),
        ask_thread=asker("thread", record.ask_thread_dump, record.thread_dump_done),
        send_signal=lambda: child.signal(STACKS),
        faulthandler_file=folder / f"faulthandler-{child.pid}.txt",
        read_memory=lambda limit_s: in_file(MemoryReading(child.pid).within(limit_s), folder),
    )


def in_file(found: Dump | str, folder: Path) -> Path | str:
    if isinstance(found, str):
        return found
    path = folder / f"greenlets-memory-{found.pid}.json"
    path.write_text(json.dumps(document(found)))
    return path


def own_time_s(rungs: tuple[Rung, ...]) -> float:
    """Seconds of all rungs but the one that has a limit of its own."""
    return sum(rung.seconds for rung in rungs if rung.kind is not MEMORY)


def wait_for(condition: Callable[[], bool], *, limit_s: float = START_S, is_needed: bool = True) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            assert not is_needed
            return
        time.sleep(0.02)


def answered(rungs: tuple[Rung, ...]) -> dict[RungKind, bool]:
    return {rung.kind: rung.answered for rung in rungs}


def test_parked_users_answer_on_every_rung_but_the_debugger(tmp_path: Path) -> None:
    with stuck("lock", tmp_path) as target:
        seen: list[Rung] = []
        rungs = climb(target, folder=tmp_path, on_rung=seen.append)
    assert [rung.kind for rung in rungs] == UNDISTURBED
    assert tuple(seen) == rungs
    assert all(rung.answered for rung in rungs), rungs
    assert all((tmp_path / rung.file).stat().st_size for rung in rungs)
    dump = read_dump((tmp_path / rungs[1].file).read_text())
    records = parked(dump)
    assert len(records) == 3
    assert all(record.holder is not None and record.holder.code == "with lock" for record in records.values())


def test_a_rung_that_has_long_been_silent_is_asked_and_hardly_waited_for(tmp_path: Path) -> None:
    with stuck("native", tmp_path) as target:
        rungs = climb(replace(target, silent=frozenset({LOOP})), folder=tmp_path, rungs=(LOOP, THREAD))
    assert [rung.answered for rung in rungs] == [False, True]
    assert f"within {SILENT_LIMIT_S:g} s" in rungs[0].refusal


def test_a_frozen_loop_answers_by_the_thread_with_the_native_call(tmp_path: Path) -> None:
    with stuck("native", tmp_path) as target:
        rungs = climb(target, folder=tmp_path)
        faults = climb(target, folder=tmp_path, rungs=(FAULTS,))
    files = {rung.kind: tmp_path / rung.file for rung in (*rungs, *faults)}
    assert answered(rungs) == {kind: kind is not LOOP for kind in UNSIGNALLED}
    assert "is blocked" in rungs[1].refusal
    blocked = blocked_main([View(read_dump(files[THREAD].read_text()), ())])
    assert blocked is not None
    at = native_call(*blocked)
    assert (at.place.file, at.place.function) == ("stuck.py", "want_native")
    assert at.wait is not None
    for frames in (
        main_frames(read_faulthandler(files[FAULTS].read_text()), target.pid),
        main_frames(read_debugger(files[DEBUGGER].read_text()), target.pid),
    ):
        assert any(frame.function == "want_native" for frame in frames)
    assert "futex" in json.loads(files[KERNEL].read_text())["wchan"]


def test_a_loop_in_python_that_spins_leaves_the_thread_enough_of_the_gil_to_answer(tmp_path: Path) -> None:
    with stuck("spin", tmp_path, users=200) as target:
        (answer,) = climb(target, folder=tmp_path, rungs=(THREAD,))
    assert answer.answered, answer.refusal
    blocked = blocked_main([View(read_dump((tmp_path / answer.file).read_text()), [])])
    assert blocked is not None
    at = native_call(*blocked)
    assert (at.place.file, at.place.function) == ("stuck.py", "spin")


def test_the_thread_is_hardly_waited_for_once_the_loop_has_answered(tmp_path: Path) -> None:
    asked: list[float] = []
    with stuck("poll", tmp_path) as target:
        rungs = climb(replace(target, ask_thread=asked.append), folder=tmp_path, rungs=(LOOP, THREAD))
    assert [rung.answered for rung in rungs] == [True, False]
    assert asked == [NEEDLESS_LIMIT_S]


def test_a_held_gil_silences_the_agent_and_the_rungs_below_it_answer(tmp_path: Path) -> None:
    with stuck("gil", tmp_path) as target:
        rungs = climb(target, folder=tmp_path)
        faults = climb(target, folder=tmp_path, rungs=(FAULTS,))
    files = {rung.kind: tmp_path / rung.file for rung in (*rungs, *faults)}
    assert answered(rungs) == {kind: kind not in {LOOP, THREAD} for kind in UNSIGNALLED}
    assert "GIL" in rungs[2].refusal
    traces = read_faulthandler(files[FAULTS].read_text())
    assert main_frames(traces, target.pid)[-1].function == "want_gil"
    threads = read_debugger(files[DEBUGGER].read_text())
    assert [trace.ident for trace in threads if trace.holds_gil] == [target.pid]
    owner = gil_owner(threads, target.pid)
    assert owner is not None
    assert (owner.is_main, owner.place and owner.place.function) == (True, "want_gil")
    assert "libc" in owner.library


@pytest.mark.parametrize("how", ["native", "gil", "stopped"])
def test_memory_has_every_user_s_stack_where_nothing_inside_can_answer(how: str, tmp_path: Path) -> None:
    with stuck("lock" if how == "stopped" else how, tmp_path, users=20) as target:
        if how == "stopped":
            os.kill(target.pid, signal.SIGSTOP)
        (rung,) = climb(target, folder=tmp_path, rungs=(MEMORY,))
    assert rung.answered, rung.refusal
    found = json.loads((tmp_path / rung.file).read_text())
    stacks = [[frame["function"] for frame in one["stack"]] for one in found["greenlets"]]
    assert sum("want_lock" in stack for stack in stacks) == 20
    main = next(thread for thread in found["threads"] if thread["is_main"])
    assert main["holds_gil"] is (how == "gil")
    assert (f"want_{how}" in [frame["function"] for frame in main["stack"]]) is (how != "stopped")


def test_where_memory_may_not_be_read_faulthandler_is_asked(tmp_path: Path) -> None:
    with stuck("native", tmp_path) as target:
        refused = replace(target, read_memory=lambda _: "it belongs to somebody else")
        rungs = climb(refused, folder=tmp_path, rungs=(LOOP, MEMORY, FAULTS))
    assert [rung.answered for rung in rungs] == [False, False, True]
    assert rungs[1].refusal == "it belongs to somebody else"


def test_evidence_of_two_hundred_users_is_collected_in_time_and_small(tmp_path: Path) -> None:
    with stuck("socket", tmp_path, users=200) as target:
        rungs = climb(target, folder=tmp_path)
    assert answered(rungs)[LOOP]
    assert own_time_s(rungs) < 5
    assert sum((tmp_path / rung.file).stat().st_size for rung in rungs if rung.file) < 5_000_000
    dump = read_dump((tmp_path / rungs[1].file).read_text())
    assert len(parked(dump)) == 200
    (kernel,) = [rung.file for rung in rungs if rung.kind is KERNEL]
    sockets = json.loads((tmp_path / kernel).read_text())["sockets"]
    assert sum(socket["state"] == "established" for socket in sockets) >= 200


def test_the_rungs_of_several_processes_say_whose_they_are(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with stuck("lock", one) as first, stuck("lock", other) as second:
        rungs = climb_all([first, second], folder=tmp_path, rungs=(RungKind.FLIGHT, RungKind.KERNEL))
    assert [rung.pid for rung in rungs] == [first.pid] * 2 + [second.pid] * 2
    assert all(rung.answered for rung in rungs)


def test_a_process_that_has_ended_refuses_in_words(tmp_path: Path) -> None:
    with stuck("lock", tmp_path) as target:
        pass
    rungs = climb(target, folder=tmp_path)
    assert answered(rungs) == {kind: kind is RungKind.FLIGHT for kind in ALL}
    assert all(rung.refusal for rung in rungs[1:])


def test_a_refused_ptrace_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "py-spy"
    spy.write_text("#!/bin/sh\necho 'Permission Denied: Try running again with elevated permissions' >&2\nexit 1\n")
    spy.chmod(0o755)
    scope = tmp_path / "ptrace_scope"
    scope.write_text("1\n")
    monkeypatch.setattr(ptrace, "YAMA", scope)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    answer = ptrace.look(1, limit_s=5)
    assert answer.refusal.startswith("ptrace was refused")
    assert "sysctl kernel.yama.ptrace_scope=0" in answer.refusal


def test_a_debugger_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "py-spy"
    spy.write_text("#!/bin/sh\nexec sleep 60\n")
    spy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert "took longer than" in ptrace.look(1, limit_s=0.6).refusal


@pytest.mark.registry
@pytest.mark.parametrize("pair", PAIRS)
def test_the_same_rungs_answer_on_the_oldest_and_the_newest_pairs(
    tmp_path: Path, pair: tuple[str, ...], environment_with: Callable[..., Path]
) -> None:
    silent = {"lock": set(), "native": {LOOP}, "gil": {LOOP, THREAD}}
    for how, silent_ones in silent.items():
        folder = tmp_path / how
        folder.mkdir()
        with stuck(how, folder, users=200, interpreter=environment_with(*pair)) as target:
            rungs = climb(target, folder=folder)
        asked = UNSIGNALLED if silent_ones else UNDISTURBED
        unreadable = {MEMORY} if silent_ones and UNREADABLE in pair else set()
        if unreadable:
            asked = ALL
            assert "1.1 is the oldest that can" in rungs[ALL.index(MEMORY)].refusal
        assert answered(rungs) == {kind: kind not in silent_ones | unreadable for kind in asked}, rungs
        if how == "gil":
            (dump,) = [folder / rung.file for rung in rungs if rung.kind is DEBUGGER]
            owner = gil_owner(read_debugger(dump.read_text()), target.pid)
            assert owner is not None
            assert owner.is_main
        assert own_time_s(rungs) < 5
