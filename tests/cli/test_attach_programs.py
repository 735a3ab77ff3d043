"""``repro attach`` on programs as people write them: what waits by design is no hang, what nothing can end is one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from repro.model import HangClass
from repro.orchestration.attachment import Attached, attach

START_S = 60.0
LOOK_S = 5.2
"""A loop that is away for less is no hang."""
CHILDREN = Path(__file__).parent / "children"
WAITS = sorted(path.stem for path in (CHILDREN / "waits").glob("*.py"))
HANGS = {
    "coroutine_in_lock": HangClass.FROZEN,
    "unpatched_lock": HangClass.FROZEN,
    "file_lock": HangClass.FROZEN,
    "endless_pattern": HangClass.SPINNING,
    "endless_query": HangClass.SPINNING,
    "events_in_circle": HangClass.DEADLOCKED,
}
pytestmark = [pytest.mark.timed, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@contextmanager
def running(script: Path, folder: Path) -> Iterator[int]:
    """The program's process, once it is where it waits."""
    ready = folder / script.stem
    child = subprocess.Popen([sys.executable, script, ready], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while not ready.exists():
            assert child.poll() is None, script.stem
            assert time.monotonic() < deadline, script.stem
            time.sleep(0.05)
        yield child.pid
    finally:
        child.kill()
        child.wait(START_S)


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Attached]:
    """What came of looking at each program: all run at once, and are looked at together."""
    folder = tmp_path_factory.mktemp("programs")
    scripts = [CHILDREN / kind / f"{name}.py" for kind, names in (("waits", WAITS), ("hangs", HANGS)) for name in names]
    with ExitStack() as stack:
        pids = {script.stem: stack.enter_context(running(script, folder)) for script in scripts}
        with ThreadPoolExecutor(len(pids)) as pool:
            found = {name: pool.submit(attach, pid, seconds=LOOK_S) for name, pid in pids.items()}
        return {name: one.result() for name, one in found.items()}


@pytest.mark.parametrize("name", WAITS)
def test_a_program_that_waits_by_design_is_no_hang(name: str, attached: dict[str, Attached]) -> None:
    assert attached[name].refusal == ""
    assert attached[name].diagnosis.hang_class is None, attached[name].diagnosis


@pytest.mark.parametrize("name", HANGS)
def test_a_program_that_nothing_can_end_is_a_hang(name: str, attached: dict[str, Attached]) -> None:
    assert attached[name].diagnosis.hang_class is HANGS[name], attached[name].diagnosis
