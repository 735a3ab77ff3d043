"""``repro attach`` by the command line: what hangs is named, the process goes on as before, bad input is one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from repro.world.shipped.causes import known_causes

PARKED = Path(__file__).parents[1] / "world" / "memory" / "children" / "parked.py"
LIMIT_S = 60.0
KEYS = {"verdict", "hang_class", "users_stuck", "explanation", "cause", "causes", "stacks", "evidence"}
pytestmark = [pytest.mark.timed, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@contextmanager
def parked(mode: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen([sys.executable, PARKED, mode, folder / "truth"], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.2)
        yield child
    finally:
        child.kill()
        child.wait(LIMIT_S)


@pytest.fixture
def attach(typed) -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda *words, folder: typed("attach", *map(str, words), folder=folder)


@pytest.mark.parametrize(
    ("mode", "hang_class", "stuck"),
    [("lock", "frozen", 17), ("rings", "deadlocked", 2), ("lost", "deadlocked", 3), ("events", "deadlocked", 6)],
)
def test_a_process_that_hangs_is_named_by_exit_code_document_and_bundle(
    mode: str, hang_class: str, stuck: int, tmp_path: Path, attach
) -> None:
    with parked(mode, tmp_path) as child:
        done = attach(child.pid, "--for", 1, "--json", "--out", tmp_path / "bundle", folder=tmp_path)
        assert child.poll() is None
        assert psutil.Process(child.pid).status() != psutil.STATUS_STOPPED
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert set(document) >= KEYS
    assert (document["verdict"], document["hang_class"]) == ("hang", hang_class)
    assert document["users_stuck"] == stuck
    classes = {cause.id: cause.classes for cause in known_causes()}
    likelihoods = {one["id"]: one["likelihood"] for one in document["causes"]}
    assert set(likelihoods.values()) <= {"possible", "likely", "seen"}
    assert all(hang_class in classes[name] for name in likelihoods)
    assert {name for name, said in likelihoods.items() if said == "seen"} == {document["cause"]} - {None}
    kept = json.loads((tmp_path / "bundle" / "greenlets-2.json").read_text())
    assert len(kept["greenlets"]) >= stuck
    assert "gevent==" in (tmp_path / "bundle" / "packages.txt").read_text()


def test_a_loop_that_turns_is_no_hang_and_says_what_its_greenlets_wait_for(tmp_path: Path, attach) -> None:
    code = (
        "from gevent import monkey; monkey.patch_all()\n"
        "import gevent, socket\n"
        "pairs = [socket.socketpair() for _ in range(14)]\n"
        "def polls(one): one.recv(1)\n"
        "for one, _ in pairs: gevent.spawn(polls, one)\n"
        "print('ready', flush=True)\n"
        "while True: gevent.sleep(0.01)\n"
    )
    script = tmp_path / "polls.py"
    script.write_text(code)
    child = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        done = attach(child.pid, "--for", 1, folder=tmp_path)
    finally:
        child.kill()
        child.wait(LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 wait for a response" in " ".join(done.stdout.split())  # wrapped at the terminal's width


def test_a_process_that_a_signal_has_stopped_is_frozen_and_stays_stopped(tmp_path: Path, attach) -> None:
    with parked("turn", tmp_path) as child:
        child.send_signal(signal.SIGSTOP)
        done = attach(child.pid, "--for", 1, folder=tmp_path)
        assert psutil.Process(child.pid).status() == psutil.STATUS_STOPPED
    assert done.returncode == 1
    assert f"kill -CONT {child.pid}" in done.stdout


def test_ctrl_c_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    with parked("turn", tmp_path) as child:
        argv = [sys.executable, "-m", "repro", "attach", str(child.pid), "--for", "600"]
        own = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert own.stderr is not None
        assert "looked at process" in own.stderr.readline()
        own.send_signal(signal.SIGINT)
        assert own.wait(LIMIT_S) == 130
        assert child.poll() is None
        assert psutil.Process(child.pid).status() != psutil.STATUS_STOPPED


def test_a_pause_is_told_and_ends_and_no_call_of_the_process_fails(tmp_path: Path, attach) -> None:
    code = (
        "import os, signal, threading, time\n"
        "got = []\n"
        "signal.signal(signal.SIGUSR1, lambda *_: got.append(1))\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
        "    time.sleep(0.002)\n"
        "    if not got: print('lost', flush=True)\n"
        "    got.clear()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        done = attach(child.pid, "--for", 0.5, "--pause", "--json", folder=tmp_path)
        status = Path(f"/proc/{child.pid}/status").read_text()
        time.sleep(0.3)
        assert child.poll() is None
    finally:
        child.kill()
        said = child.stdout.read() if child.stdout else ""
        child.wait(LIMIT_S)
    document = json.loads(done.stdout)
    assert len(document["paused_ms"]) == 2, done.stderr
    assert all(one > 0 for one in document["paused_ms"])
    assert "The process was paused for" in " ".join(document["notes"])
    assert "TracerPid:\t0" in status
    assert said == ""  # a signal that came during a pause was delivered after it


def test_ctrl_c_in_a_pause_lets_the_process_go(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "from repro.world.processes.pause import paused\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored where the tests run in a shell's background
        "with paused(int(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with parked("turn", tmp_path) as child:
        for number in (signal.SIGINT, signal.SIGKILL):
            own = subprocess.Popen([sys.executable, "-c", code, str(child.pid)], stdout=subprocess.PIPE, text=True)
            assert own.stdout is not None
            assert own.stdout.readline() == "held\n"
            assert psutil.Process(child.pid).status() == psutil.STATUS_TRACING_STOP
            own.send_signal(number)
            own.wait(LIMIT_S)
            time.sleep(0.2)
            assert psutil.Process(child.pid).status() in {psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING}
            assert "TracerPid:\t0" in Path(f"/proc/{child.pid}/status").read_text()


def test_bad_input_is_one_sentence(tmp_path: Path, attach) -> None:
    other = subprocess.Popen(["sleep", "600"])
    try:
        time.sleep(0.2)
        for words, said in (
            ((2**22 + 1,), "does not exist"),
            ((other.pid,), "runs sleep, not Python"),
            ((0,), "0 is not in the range"),
            (("nonsense",), "not a valid process id"),
            ((os.getpid(), "--for", "nan"), "not a finite number"),
        ):
            done = attach(*words, folder=tmp_path)
            assert done.returncode == 2, (words, done.stderr)
            assert said in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        other.kill()
        other.wait(LIMIT_S)
