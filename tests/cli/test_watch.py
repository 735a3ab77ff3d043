"""``repro watch``: a command that hangs is told while it runs, a healthy one is not, and nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PARKED = Path(__file__).parents[1] / "world" / "memory" / "children" / "parked.py"
LIMIT_S = 90.0
HEALTHY = (
    "from gevent import monkey; monkey.patch_all()\n"
    "import gevent, sys\n"
    "print('hello', flush=True)\n"
    "for _ in range(int(sys.argv[1])): gevent.sleep(0.1)\n"
)
pytestmark = [pytest.mark.timed, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def watch(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "repro", "watch", *map(str, words)]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def left_of(folder: Path) -> list[psutil.Process]:
    """The processes that have this folder in their command."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "pid"])
        if str(folder) in " ".join(process.info["cmdline"] or ()) and process.pid != os.getpid()
    ]


def test_a_command_that_hangs_is_told_stopped_and_kept_as_evidence(tmp_path: Path) -> None:
    done = watch(
        "--after", "2s", "--on-hang", "stop", "--out", tmp_path / "bundle", "--notify", 'echo "$REPRO_HANG" > told',
        "--json", "--", sys.executable, PARKED, "lost", tmp_path / "truth", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert (document["verdict"], document["hang_class"], document["users_stuck"]) == ("hang", "deadlocked", 3)
    assert "ready" in done.stderr  # its own output is its own
    assert "HANG (deadlocked)" in done.stderr
    assert "HANG (deadlocked)" in (tmp_path / "told").read_text()
    assert (tmp_path / "bundle" / "greenlets-2.json").exists()
    assert left_of(tmp_path) == []


def test_a_command_that_ends_by_itself_is_clean_and_its_output_its_own(tmp_path: Path) -> None:
    script = tmp_path / "healthy.py"
    script.write_text(HEALTHY)
    done = watch("--after", "1s", "--", sys.executable, script, "40", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "hello\n"
    assert "No hang in" in done.stderr


def test_what_fails_is_not_clean_and_what_was_never_seen_twice_neither(tmp_path: Path) -> None:
    done = watch("--json", "--", sys.executable, "-c", "raise SystemExit(7)", folder=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"], document["exit_code"]) == (3, "crash", 7)
    done = watch("--json", "--for", "1s", "--", "sleep", "600", folder=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (3, "inconclusive")


WAITS = "import os; os.read(os.pipe()[0], 1)"


@pytest.mark.parametrize(("code", "came"), [(WAITS, (3, "inconclusive")), (HEALTHY, (0, "clean"))])
def test_what_stands_when_the_time_is_over_and_nobody_explained_is_not_clean(
    code: str, came: tuple[int, str], tmp_path: Path
) -> None:
    done = watch("--json", "--after", "1s", "--for", "10s", "--", sys.executable, "-c", code, "100000", folder=tmp_path)
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"]) == came, document
    assert ("Watch it for longer" in document["explanation"]) == (came[1] == "inconclusive")


def test_a_signal_ends_the_command_and_leaves_nothing(tmp_path: Path) -> None:
    script = tmp_path / "healthy.py"
    script.write_text(HEALTHY)
    argv = [sys.executable, "-m", "repro", "watch", "--", sys.executable, script, "100000"]
    own = subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert own.stdout is not None
    assert own.stdout.readline() == "hello\n"
    own.send_signal(signal.SIGTERM)
    assert own.wait(LIMIT_S) == 130
    deadline = time.monotonic() + 10
    while left_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_of(tmp_path) == []


def test_a_command_that_hangs_again_is_started_again(tmp_path: Path) -> None:
    done = watch(
        "--after", "1s", "--for", "30s", "--on-hang", "restart", "--out", tmp_path / "bundle", "--",
        sys.executable, PARKED, "lost", tmp_path / "truth", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("ready") >= 2
    assert done.stderr.count("HANG (deadlocked)") >= 2
    assert (tmp_path / "bundle" / "greenlets-2.json").exists()
    assert (tmp_path / "bundle" / "hang-2" / "greenlets-2.json").exists()  # the first one's are not written over
    assert left_of(tmp_path) == []


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    for words, said in (
        ((), "nothing to watch was given; write the command after --"),
        (("--for", "soon", "--", "true"), "is not a time"),
        (("--", "no-such-program-anywhere"), "cannot start no-such-program-anywhere"),
    ):
        done = watch(*words, folder=tmp_path)
        assert done.returncode == 2, (words, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
