"""``repro attach`` on programs that move fast, or have several event loops: each loop is judged by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CHILDREN = Path(__file__).parents[1] / "world" / "memory" / "children"
LIMIT_S = 120.0
pytestmark = [pytest.mark.timed, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def answer_of(program: str, *words: str, folder: Path, seconds: float = 5.5) -> tuple[int, dict[str, Any]]:
    """The exit code and the document of an attach to a program that is ready."""
    child = subprocess.Popen([sys.executable, CHILDREN / program, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        argv = [sys.executable, "-m", "repro", "attach", str(child.pid), "--for", str(seconds), "--json"]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    finally:
        child.kill()
        child.wait(LIMIT_S)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("kinds", "hang_class", "thread"),
    [
        (("sleep", "turn"), "frozen", "main thread"),
        (("turn", "spin"), "spinning", "thread "),
        (("join", "block"), "frozen", "thread "),
    ],
    ids="-".join,
)
def test_a_blocked_loop_is_found_whatever_another_threads_loop_does(
    kinds: Sequence[str], hang_class: str, thread: str, tmp_path: Path
) -> None:
    code, document = answer_of("two_loops.py", *kinds, folder=tmp_path)
    assert (code, document["hang_class"], document["users_stuck"]) == (1, hang_class, 5), document["explanation"]
    assert document["stacks"][0].startswith(thread)


def test_a_lock_that_nobody_holds_and_whose_wake_up_was_lost_is_named_with_its_counter(tmp_path: Path) -> None:
    code, document = answer_of("forgetful.py", folder=tmp_path, seconds=2)
    assert (code, document["hang_class"], document["users_stuck"]) == (1, "deadlocked", 163), document["explanation"]
    assert (
        "163 of 201 greenlets wait for a Forgetful that nobody holds: its wake-up was lost" in document["explanation"]
    )
    assert document["stacks"][0].startswith(
        "163 × wait for semaphore Forgetful, which nobody holds (its counter is 1)\n"
    )


def test_the_owner_of_a_lock_is_named_and_shown(tmp_path: Path) -> None:
    code, document = answer_of("parked.py", "turn", str(tmp_path / "truth"), folder=tmp_path, seconds=1)
    assert (code, document["verdict"]) == (3, "inconclusive"), document["explanation"]
    heads = [stack.splitlines()[0] for stack in document["stacks"]]
    assert "1 × wait for semaphore, which is taken (its counter is 0)" in heads
    assert any(head.startswith("1 × wait for semaphore, held by the greenlet of owns") for head in heads)
    assert heads[-1] == "owns a lock, and waits for timer"


@pytest.mark.parametrize("kinds", [("join", "wait"), ("pool", "turn")], ids="-".join)
def test_loops_that_turn_are_clean_whoever_waits_for_them(kinds: Sequence[str], tmp_path: Path) -> None:
    code, document = answer_of("two_loops.py", *kinds, folder=tmp_path)
    assert (code, document["verdict"]) == (0, "clean"), document["explanation"]


@pytest.mark.parametrize(
    "words", [("sleep", "0.01"), ("sleep", "0"), ("hand-over", "0"), ("answer", "0")], ids="-".join
)
def test_who_moves_fast_and_is_met_at_the_same_line_is_not_stuck(words: Sequence[str], tmp_path: Path) -> None:
    code, document = answer_of("moves_fast.py", *words, folder=tmp_path)
    assert (document["hang_class"], code != 1) == (None, True), document["explanation"]
