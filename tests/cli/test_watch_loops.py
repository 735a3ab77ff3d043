"""``repro watch`` on loops that do not turn: frozen and spinning processes, with the agent and without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PARKED = Path(__file__).parents[1] / "world" / "memory" / "children" / "parked.py"
LIMIT_S = 150.0
CALLS = (
    "from gevent import monkey; monkey.patch_all()\n"
    "import sys, threading, gevent, requests\n"
    "def call():\n"
    "    while True:\n"
    "        try: requests.get('http://127.0.0.1:9', timeout=1)\n"
    "        except requests.ConnectionError: gevent.sleep(0.05)\n"
    "for _ in range(3): gevent.spawn(call)\n"
    "gevent.sleep(2)\n"
    "lock = monkey.get_original('_thread', 'allocate_lock')()\n"
    "lock.acquire()\n"
    "if sys.argv[1] == 'frozen': lock.acquire()\n"
    "while True: pass\n"
)
pytestmark = [pytest.mark.timed, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def watch(*words: object, folder: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    own = ["--after", "6s", "--on-hang", "stop", "--json", "--out", folder / "bundle"]
    argv = [sys.executable, "-m", "repro", "watch", *map(str, own), "--", *map(str, words)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done, json.loads(done.stdout) if done.stdout else {}


@pytest.mark.parametrize("hang_class", ["frozen", "spinning"])
def test_a_process_whose_calls_the_agent_sees_is_told_by_its_loops_beats(hang_class: str, tmp_path: Path) -> None:
    script = tmp_path / "calls.py"
    script.write_text(CALLS)
    done, document = watch(sys.executable, script, hang_class, folder=tmp_path)
    assert (done.returncode, document["hang_class"]) == (1, hang_class), (document, done.stderr)
    assert document["agent"]["processes"] == 1
    assert any("calls.py" in stack for stack in document["stacks"]), document["stacks"]
    assert document["stacks"][0].startswith("main thread")
    assert list((tmp_path / "bundle").glob("greenlets-*.json"))  # the judge's, or of two looks where there is no core


@contextmanager
def crowded_core() -> Iterator[list[str]]:
    """The start of a command that shares one core with two programs that burn it."""
    core = str(min(os.sched_getaffinity(0)))
    hogs = [subprocess.Popen(["taskset", "-c", core, sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield ["taskset", "-c", core]
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait(LIMIT_S)


def test_a_loop_that_spins_on_a_busy_core_is_told_by_where_it_is_before_its_share_of_it_adds_up(
    tmp_path: Path,
) -> None:
    """The judge does not count the time in which a process had no core, two thirds of it here."""
    script = tmp_path / "calls.py"
    script.write_text(CALLS)
    with crowded_core() as start:
        done, document = watch(*start, sys.executable, script, "spinning", folder=tmp_path)
    assert (done.returncode, document["hang_class"]) == (1, "spinning"), (document, done.stderr)
    assert document["stacks"][0].startswith("main thread"), document["stacks"]
    assert any("calls.py" in stack for stack in document["stacks"]), document["stacks"]
    assert (tmp_path / "bundle" / "greenlets-2.json").exists()


COMPUTES = CALLS.replace(
    "while True: pass\n",
    "for _ in range(40):\n    sum(range(300000))\n    gevent.sleep(0.2)\n",
)


def test_a_loop_that_turns_seldom_on_a_busy_core_is_no_hang(tmp_path: Path) -> None:
    script = tmp_path / "calls.py"
    script.write_text(COMPUTES)
    with crowded_core() as start:
        done, document = watch(*start, sys.executable, script, "turns", folder=tmp_path)
    assert (done.returncode, document["verdict"]) == (0, "clean"), (document, done.stderr)


@pytest.mark.parametrize(("mode", "hang_class"), [("lock", "frozen"), ("spin", "spinning")])
def test_a_process_without_calls_is_told_from_outside(mode: str, hang_class: str, tmp_path: Path) -> None:
    done, document = watch(sys.executable, "-I", PARKED, mode, tmp_path / "truth", folder=tmp_path)
    assert (done.returncode, document["hang_class"], document["users_stuck"]) == (1, hang_class, 17), document
    assert document["stacks"][0].startswith("main thread")
    assert (tmp_path / "bundle" / "greenlets-2.json").exists()
