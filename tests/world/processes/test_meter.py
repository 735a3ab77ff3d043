"""What a process takes of the processor: a loop that spins is seen to, however busy the machine; one that sleeps is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from repro.core.judge.table import STANDING_CORES
from repro.world.processes.meter import Meter, QueueMeter

pytestmark = pytest.mark.timed

SPIN = "open({ready!r}, 'w').close()\nwhile True: pass"
HELD = """
import ctypes, threading
def hold():
    open({ready!r}, 'w').close()
    ctypes.PyDLL(None).sleep(60)  # a PyDLL call keeps the GIL
threading.Thread(target=hold, daemon=True).start()
while True: pass
"""
ON_ONE_CORE = "import os\nos.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})\n" + SPIN
SLEEP = "import time\nopen({ready!r}, 'w').close()\ntime.sleep(60)"
WATCHED_S = 1.5


@contextmanager
def started(code: str, folder: Path, *, count: int = 1) -> Iterator[list[int]]:
    """So many children, each ready by a file; they are ended afterwards."""
    files = [folder / f"ready-{os.urandom(4).hex()}" for _ in range(count)]
    children = [subprocess.Popen([sys.executable, "-c", code.format(ready=str(file))]) for file in files]
    try:
        while not all(file.exists() for file in files):
            time.sleep(0.01)
        yield [child.pid for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()


def cores(pid: int) -> float:
    meter, began = Meter(), time.monotonic()
    before = meter.cpu_seconds([pid])[pid]
    time.sleep(WATCHED_S)
    return (meter.cpu_seconds([pid])[pid] - before) / (time.monotonic() - began)


def denied(*pids: int) -> list[float]:
    """The share of the time for which each of them waited for a core."""
    meter, began = QueueMeter(), time.monotonic()
    assert meter.denied_seconds(pids) == dict.fromkeys(pids, 0.0)
    time.sleep(WATCHED_S)
    seconds = meter.denied_seconds(pids)
    return [seconds[pid] / (time.monotonic() - began) for pid in pids]


needs_account = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel keeps no account of waiting for a core"
)


@needs_account
def test_who_computes_beside_others_on_one_core_has_waited_for_it_and_a_sleeper_has_not(tmp_path: Path) -> None:
    with started(ON_ONE_CORE, tmp_path, count=4) as pids, started(SLEEP, tmp_path) as asleep:
        computing, sleeping = denied(pids[0], asleep[0])
    assert computing > 0.3
    assert sleeping < 0.05


def test_who_has_gone_has_waited_for_nothing(tmp_path: Path) -> None:
    with started(SLEEP, tmp_path) as pids:
        pass
    assert QueueMeter().denied_seconds(pids) == {}


@needs_account
def test_a_spin_is_seen_though_it_gets_a_small_part_of_a_core(tmp_path: Path) -> None:
    with started(SPIN, tmp_path, count=4 * (os.cpu_count() or 1)) as pids:
        assert cores(pids[0]) > STANDING_CORES


def test_a_sleeper_takes_nothing_and_one_that_has_gone_is_left_out(tmp_path: Path) -> None:
    with started(SLEEP, tmp_path) as pids:
        assert cores(pids[0]) < STANDING_CORES
    assert Meter().cpu_seconds(pids) == {}


def test_one_that_asks_for_the_gil_in_vain_takes_next_to_nothing_on_a_busy_machine(tmp_path: Path) -> None:
    with started(SPIN, tmp_path, count=4 * (os.cpu_count() or 1)), started(HELD, tmp_path) as held:
        assert cores(held[0]) < STANDING_CORES
