"""The stacks of a foreign process's greenlets are exactly those that it saw itself, on the oldest and the newest pairs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from repro.core.hang.dump import Dump
from repro.errors import ProcessError, UsageError
from repro.findings import WaitKind
from repro.world.memory.reader import reading_of
from repro.world.memory.source.pages import ForeignMemory
from repro.world.memory.source.target import target_of

CHILD = Path(__file__).parent / "children" / "parked.py"
LIMIT_S = 60.0
PAIRS = (
    ("3.8", "greenlet==1.1.3", "gevent==21.12.0"),
    ("3.10", "greenlet==2.0.2", "gevent==22.10.2", "setuptools<80"),
    ("3.12", "greenlet==3.0.1", "gevent==24.2.1"),
    ("3.13", "greenlet", "gevent"),
)
CUT = "3.12"
"""There greenlet 3.0.1 shows its own program the innermost frame alone: the truth is shorter than what is read."""
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
pytestmark = LINUX


@contextmanager
def parked(python: str | Path, mode: str, truth: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready, and ended afterwards."""
    child = subprocess.Popen([python, CHILD, mode, truth], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.2)  # to its last call
        yield child
    finally:
        child.kill()
        child.wait(LIMIT_S)


def read(pid: int) -> Dump:
    """One look at a process."""
    reader = reading_of(target_of(pid))
    try:
        return reader.dump()
    finally:
        reader.close()


def stacks(dump: Dump) -> dict[str, list[list[object]]]:
    return {str(one.id): [[frame.file, frame.line, frame.function] for frame in one.stack] for one in dump.greenlets}


def differences(dump: Dump, truth: Path, *, is_cut: bool = False) -> list[object]:
    found = stacks(dump)
    expected = json.loads(truth.read_text())
    assert len(expected) > 10
    depth = 1 if is_cut else 1000
    return [(found.get(one), stack) for one, stack in expected.items() if found.get(one, [])[-depth:] != stack[-depth:]]


@pytest.mark.registry
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(pair[:2]))
def test_every_greenlets_stack_is_the_one_that_it_saw_itself(
    pair: tuple[str, ...], environment_with: Callable[..., Path], tmp_path: Path
) -> None:
    python = environment_with(*pair)
    with parked(python, "lock", tmp_path / "truth") as child:
        dump = read(child.pid)
        child.send_signal(signal.SIGSTOP)  # what is stopped can be read as well
        stopped = read(child.pid)
    assert differences(dump, tmp_path / "truth", is_cut=pair[0] == CUT) == []
    assert stacks(stopped) == stacks(dump)
    kinds = {one.wait.kind for one in dump.greenlets if one.wait is not None}
    assert {"timer", "semaphore", "event", "socket", "greenlet"} <= kinds


def test_a_loop_that_turns_is_read_and_not_disturbed(tmp_path: Path) -> None:
    with parked(sys.executable, "turn", tmp_path / "truth") as child:
        process = psutil.Process(child.pid)
        before = process.num_ctx_switches().involuntary
        dumps = [read(child.pid) for _ in range(3)]
        assert child.poll() is None
        assert process.num_ctx_switches().involuntary >= before
    expected = json.loads((tmp_path / "truth").read_text())
    main = {one.id for dump in dumps for one in dump.greenlets if one.is_hub or one.wait is None or not one.stack}
    for dump in dumps:
        found = stacks(dump)
        assert [one for one, stack in expected.items() if int(one) not in main and found.get(one) != stack] == []


def test_who_waits_for_what_and_who_owns_it(tmp_path: Path) -> None:
    with parked(sys.executable, "lock", tmp_path / "truth") as child:
        dump = read(child.pid)
    waits = {one.stack[-1].function: one.wait for one in dump.greenlets if one.stack and one.wait is not None}
    reading = next(wait for wait in waits.values() if wait.kind is WaitKind.SOCKET)
    assert reading.fd > 2
    assert reading.direction == "read"
    owner = next(lock for lock in dump.locks.values() if lock.holder_greenlet)
    holder = dump.by_id(owner.holder_greenlet)
    assert holder is not None
    assert any(frame.function == "owns" for frame in holder.stack)
    assert dump.main is not None
    assert dump.main.stack[-1].function == "main"
    assert not any(lock.is_free for lock in dump.locks.values())


def test_a_lock_that_was_freed_without_a_word_is_seen_as_free(tmp_path: Path) -> None:
    with parked(sys.executable, "lost", tmp_path / "truth") as child:
        dump = read(child.pid)
    (lock,) = [one for one in dump.locks.values() if one.is_free]
    assert lock.waiters == 3


def test_a_program_without_greenlets_shows_its_threads() -> None:
    code = "import threading, time\ndef waits():\n    time.sleep(600)\nt = threading.Thread(target=waits); t.start()\nprint('ready', flush=True)\nt.join()"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.2)
        dump = read(child.pid)
    finally:
        child.kill()
        child.wait(LIMIT_S)
    assert dump.greenlets == ()
    assert {thread.stack[-1].function for thread in dump.threads} == {"waits", "Thread._wait_for_tstate_lock"} or {
        "waits"
    } < {thread.stack[-1].function for thread in dump.threads}
    assert [thread.is_main for thread in dump.threads].count(True) == 1


HOLDS = """
import ctypes, threading, time
def holds():
    time.sleep(0.3)
    ctypes.PyDLL(None).sleep(600)
threading.Thread(target=holds, daemon=True).start()
print('ready', flush=True)
while True:
    time.sleep(0.01)
"""


@pytest.mark.registry
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(pair[:2]))
def test_who_holds_the_gil_is_read_where_nothing_can_run_inside(
    pair: tuple[str, ...], environment_with: Callable[..., Path]
) -> None:
    python = environment_with(*pair)
    child = subprocess.Popen([python, "-c", HOLDS], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        reader = reading_of(target_of(child.pid))
        dumps: list[Dump] = []
        deadline = time.monotonic() + LIMIT_S
        while not (dumps and dumps[-1].gil_holder) and time.monotonic() < deadline:
            dumps.append(reader.dump())
        time.sleep(0.5)
        holders = [reader.dump().gil_holder for _ in range(3)]
        reader.close()
    finally:
        child.kill()
        child.wait(LIMIT_S)
    assert [one.stack[-1].function if one else "" for one in holders] == ["holds"] * 3
    assert not any(one.is_main for one in holders if one)


def test_a_process_that_ends_meanwhile_is_one_sentence(tmp_path: Path) -> None:
    with parked(sys.executable, "turn", tmp_path / "truth") as child:
        reading = reading_of(target_of(child.pid))
        child.kill()
        child.wait(LIMIT_S)
        with pytest.raises((ProcessError, FileNotFoundError, ProcessLookupError)):
            reading.dump()
        reading.close()


def test_what_cannot_be_read_says_why() -> None:
    with pytest.raises(UsageError, match=r"process \d+ does not exist"):
        target_of(2**22 + 1)
    child = subprocess.Popen(["sleep", "600"])
    try:
        time.sleep(0.2)
        with pytest.raises(UsageError, match="runs sleep, not Python"):
            read(child.pid)
    finally:
        child.kill()
        child.wait(LIMIT_S)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_runs_another_users_interpreter_with_that_users_rights_alone(tmp_path: Path) -> None:
    """The interpreter of a process is somebody's file: root must not run it with more rights than the process has."""
    tmp_path.chmod(0o777)
    with parked(sys.executable, "turn", tmp_path / "truth") as child:
        argv, user = target_of(child.pid).command("-c", "")
    assert user is None
    assert argv[0] == str(Path(sys.executable).resolve())
    other = subprocess.Popen(["sleep", "600"], user=65534, group=65534)
    try:
        _, user = target_of(other.pid).command()
        assert user is not None
        assert (user.uid, user.gid) == (65534, 65534)
    finally:
        other.kill()
        other.wait(LIMIT_S)


def test_greenlets_that_are_imported_later_are_read_too() -> None:
    """A process that was seen while it was still importing would show no greenlet for ever after."""
    code = "print('begun', flush=True); input(); import gevent; gevent.spawn(gevent.sleep, 600); gevent.sleep(0); print('on', flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        reading = reading_of(target_of(child.pid))
        assert reading.dump().greenlets == ()
        child.stdin.write("\n")
        child.stdout.readline()
        assert any(one.stack and one.stack[-1].function == "sleep" for one in reading.dump().greenlets)
        reading.close()
    finally:
        child.kill()
        child.wait(LIMIT_S)


def test_two_may_read_at_once(tmp_path: Path) -> None:
    with parked(sys.executable, "lock", tmp_path / "truth") as child:
        found: list[Dump] = []
        readers = [threading.Thread(target=lambda: found.append(read(child.pid))) for _ in range(2)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(LIMIT_S)
    assert len(found) == 2
    assert stacks(found[0]) == stacks(found[1])


def test_memory_that_is_not_mapped_is_an_error_and_no_zero() -> None:
    from repro.world.memory.source.pages import TornError

    with ForeignMemory(os.getpid()) as memory:
        for address in (0, 8, 1 << 46, (1 << 64) - 8):
            with pytest.raises(TornError):
                memory.word(address)


def test_a_process_that_ends_between_two_looks_is_said_to_in_one_sentence(tmp_path: Path) -> None:
    with parked(sys.executable, "parked", tmp_path / "truth") as child:
        reader = reading_of(target_of(child.pid))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # its memory is gone, its entry is not
        with pytest.raises(ProcessError, match=f"process {child.pid} .* (ended|end)"):
            reader.dump()
        reader.close()
