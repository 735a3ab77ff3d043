"""A cell's output is kept from filling the disk, with its head, its tail and the count between them."""

from __future__ import annotations

import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from repro.world.processes.output import CUT_ABOVE_BYTES, KEPT_BYTES, CappedOutput

LEFT_OUT = re.compile(rb"\n\xe2\x80\xa6 (\d+) bytes left out \xe2\x80\xa6\n")


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"line %09d\n" % number for number in range(first, last))


def test_a_short_output_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(numbered(0, 1000))
    output = CappedOutput(path)
    output.trim()
    output.settle()
    assert path.read_bytes() == numbered(0, 1000)


def test_one_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    output = CappedOutput(tmp_path / "out")
    output.trim()
    output.settle()
    assert not (tmp_path / "out").exists()


def test_a_long_one_keeps_head_and_tail_and_says_what_is_missing(tmp_path: Path) -> None:
    path, data = tmp_path / "out", numbered(0, 100_000)
    path.write_bytes(data)
    output = CappedOutput(path)
    output.trim()
    assert path.read_bytes() == data  # not that long yet
    output.settle()
    head, count, tail = LEFT_OUT.split(path.read_bytes())
    assert head == data[:KEPT_BYTES]
    assert tail == data[-KEPT_BYTES:]
    assert int(count) == len(data) - 2 * KEPT_BYTES


@pytest.mark.parametrize("cuts", [1, 3])
def test_one_that_grows_and_grows_gives_the_disk_back(cuts: int, tmp_path: Path) -> None:
    path, written = tmp_path / "out", 0
    output = CappedOutput(path)
    chunk = numbered(0, CUT_ABOVE_BYTES // 15 + 10)
    for _ in range(cuts):
        append(path, chunk)
        written += len(chunk)
        output.trim()
        assert on_disk(path) <= 3 * KEPT_BYTES
    append(path, b"the last words\n")
    written += 15
    assert output.ending(KEPT_BYTES) == (chunk + b"the last words\n")[-KEPT_BYTES:]
    output.settle()
    head, count, tail = LEFT_OUT.split(path.read_bytes())
    assert head == chunk[:KEPT_BYTES]
    assert tail == (chunk + b"the last words\n")[-KEPT_BYTES:]
    assert int(count) == written - len(head) - len(tail)


CHATTY = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for number in range(1200):
    os.write(fd, b"x" * 49_999 + b"\\n")
print("written", flush=True)
sys.stdin.readline()
os.write(fd, b"the end\\n")
"""


def on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_a_real_writer_never_makes_it_large(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = CappedOutput(path)
    largest = 0
    argv = [sys.executable, "-c", CHATTY, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        while not select.select([writer.stdout], [], [], 0)[0]:
            output.trim()
            largest = max(largest, on_disk(path) if path.exists() else 0)
        output.trim()
        writer.communicate(b"\n")  # its last words come after the last cut: what is written in its instant is lost
    assert writer.returncode == 0
    output.settle()
    assert path.stat().st_size <= 2 * KEPT_BYTES + 100
    assert path.read_bytes().endswith(b"the end\n")
    assert largest < 60_000_000
