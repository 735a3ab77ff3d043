"""The live view of a real run on a real pseudo-terminal: what is under way, the hang when it is found, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("repro")
LIMIT_S = 180.0
COLUMNS = 80

pytestmark = pytest.mark.timed


class Terminal:
    """A pseudo-terminal of 80 columns with the program in it."""

    def __init__(self, *words: str, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
        env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.program = subprocess.Popen(
            [SCRIPT, *words],
            cwd=folder,
            env={**env, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),  # noqa: PLW1509  # its Ctrl-C
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, *wanted: str) -> None:
        """Read until all of that was shown at some time."""
        deadline = time.monotonic() + LIMIT_S
        while not all(one in self.text for one in wanted):
            assert time.monotonic() < deadline, self.text[-2000:]
            self.text += self._read()

    def ended(self) -> int:
        """The exit code, once everything is read."""
        while part := self._read():
            self.text += part
        return self.program.wait(LIMIT_S)

    def type(self, key: bytes) -> None:
        os.write(self._ours, key)

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65_536).decode("utf-8", "replace")
        except OSError:  # the other side is closed
            return ""


def test_a_run_shows_what_is_under_way_and_the_hang_when_it_is_found(tmp_path: Path) -> None:
    words = ("--python", sys.executable, "--set", "seconds=2,3", "--set", "limits.beat_s=2", "--jobs", "2")
    shown = Terminal("run", "known/frozen", *words, "--trials", "1", "--out", "run", folder=tmp_path)
    shown.read_until("… under way", "load ", "operations/s", "hang (frozen), collecting evidence")
    assert shown.ended() == 1
    assert "hang (frozen)" in shown.text.partition("collecting evidence")[2]
    assert "Traceback" not in shown.text


def test_ctrl_c_ends_the_view_and_says_how_to_go_on(tmp_path: Path) -> None:
    shown = Terminal("run", "known/clean", "--python", sys.executable, "--set", "seconds=60", folder=tmp_path)
    shown.read_until("load ", "operations/s")
    shown.type(b"\x03")
    assert shown.ended() == 130
    last = shown.text.rpartition("operations/s")[2]
    assert "--resume" in last
    assert "Interrupted." in last
    assert "Traceback" not in shown.text
