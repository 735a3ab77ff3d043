"""``repro watch`` sees operations, users and a stop by the agent that rides along, and says where it could not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVER = Path(__file__).parent / "children" / "answers_a_while.py"
LIMIT_S = 150.0
LOCUST = Path(sys.executable).with_name("locust")
CALLER = (
    "from locust import HttpUser, constant, task\n"
    "class Caller(HttpUser):\n"
    "    wait_time = constant(0.1)\n"
    "    @task\n"
    "    def call(self): self.client.get('/')\n"
)
STUBBORN = CALLER.replace(
    "self.client.get('/')",
    "\n        while True:\n            try: self.client.get('/'); gevent.sleep(0.1)\n            except BaseException: pass\n",
).replace("from locust", "import gevent\nfrom locust")
pytestmark = [pytest.mark.timed, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@contextmanager
def server(seconds: float) -> Iterator[str]:
    """Answers for so many seconds; its address."""
    child = subprocess.Popen([sys.executable, SERVER, str(seconds)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}"
    finally:
        child.kill()
        child.wait(LIMIT_S)


def watch(*words: object, folder: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, object]]:
    argv = [sys.executable, "-m", "repro", "watch", "--json", "--out", folder / "bundle", *map(str, words)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done, json.loads(done.stdout) if done.stdout else {}


def locust(code: str, folder: Path, address: str, *more: str) -> list[object]:
    (folder / "locustfile.py").write_text(code)
    return [LOCUST, "-f", "locustfile.py", "--headless", "-u", "3", "-r", "3", "-H", address, "--only-summary", *more]


def test_calls_that_are_never_answered_are_a_hang_and_the_command_to_reproduce_it_is_told(tmp_path: Path) -> None:
    with server(6) as address:
        command = locust(CALLER, tmp_path, address)
        done, document = watch("--after", "3s", "--on-hang", "stop", "--", *command, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert (document["verdict"], document["hang_class"]) == ("hang", "unanswered"), document
    assert (document["users_stuck"], document["users"]) == (3, 3)
    assert any("recv_into" in stack or "read" in stack for stack in document["stacks"])
    versions = document["packages"]
    assert f"--set gevent={versions['gevent']}" in document["reproduce"]
    assert document["reproduce"].endswith(f"-H {address} --only-summary")
    assert (tmp_path / "bundle" / "greenlets-memory.json").exists()
    assert document["agent"] == {"processes": 1, "notes": []}


def test_users_that_outlive_a_stop_are_a_hang(tmp_path: Path) -> None:
    with server(600) as address:
        command = locust(STUBBORN, tmp_path, address, "-t", "2")
        done, document = watch(
            "--after", "3s", "--stop-grace", "3s", "--on-hang", "stop", "--", *command, folder=tmp_path
        )
    assert done.returncode == 1, done.stderr
    assert (document["hang_class"], document["users_stuck"]) == ("unstoppable", 3), document


def test_a_healthy_run_is_clean_and_where_the_agent_was_not_is_said(tmp_path: Path) -> None:
    with server(600) as address:
        done, document = watch("--after", "2s", "--", *locust(CALLER, tmp_path, address, "-t", "6"), folder=tmp_path)
    assert (done.returncode, document["verdict"], document["agent"]["processes"]) == (0, "clean", 1), done.stderr
    assert "No operations were seen" not in done.stderr
    argv = [sys.executable, "-m", "repro", "watch", "--", sys.executable, "-I", "-c", "print('on')"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.stdout == "on\n"
    assert "No operations were seen" in done.stderr


def test_a_process_that_somebody_else_started_with_the_variables_is_joined(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "repro", "watch", "--print-env", "--json", "--out", str(tmp_path / "seen")]
    printed = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout
    variables = json.loads(printed)
    with server(5) as address:
        child = subprocess.Popen(
            locust(CALLER, tmp_path, address), cwd=tmp_path, env={**os.environ, **variables}, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + LIMIT_S
            while not list((tmp_path / "seen" / "records").glob("flight-*")):  # a busy machine takes long to start it
                assert time.monotonic() < deadline
                time.sleep(0.1)
            done, document = watch("--join", tmp_path / "seen", "--after", "3s", "--for", "60s", folder=tmp_path)
            assert child.poll() is None  # it is left as it is
        finally:
            child.kill()
            child.wait(LIMIT_S)
    assert done.returncode == 1, done.stderr
    assert (document["hang_class"], document["pid"]) == ("unanswered", child.pid), document


def test_a_program_that_forks_a_thousand_children_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "folder = os.environ['REPRO_TRIAL_DIR']\n"
        "most = 0\n"
        "for number in range(1000):\n"
        "    if os.fork() == 0:\n"
        "        with sys.modules['repro_agent.hooks'].operation('call'): pass\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "    most = max(most, len(os.listdir(folder)))\n"
        "time.sleep(1.5)\n"
        "print(most, len(os.listdir(folder)), folder, flush=True)\n"
    )
    argv = [sys.executable, "-m", "repro", "watch", "--", sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    most, left, folder = done.stdout.split()
    assert int(most) <= 258  # 256 records, and the note of those that got none
    assert int(left) <= 2
    assert not Path(folder).exists()
