"""What becomes of a user's GreenletExit, in a real Locust that is told to stop and does not: seen in record and dump."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import repro
from repro.core.hang.dump import Dump, read_dump
from repro.core.judge.samples import Reading
from repro.world.collecting.flight import Fleet, FlightRecord

BOOT = Path(repro.__file__).parent / "agent" / "boot.py"
LIMIT_S = 90
CATCHES = """
import gevent
from locust import User, constant, task

def stubborn(call):
    while True:
        try:
            call()
        except:
            pass

class Worker(User):
    wait_time = constant(0)
    @task
    def work(self):
        stubborn(lambda: gevent.sleep(0.05))
"""
REPLACES = """
import gevent
from locust import User, constant, task

class Worker(User):
    wait_time = constant(0)
    @task
    def work(self):
        try:
            while True:
                gevent.sleep(0.05)
        finally:
            raise RuntimeError("closed already")
"""


@contextlib.contextmanager
def hanging(source: str, folder: Path) -> Iterator[Fleet]:
    """A cell whose load is over after a second; it is killed at the end."""
    (folder / "locustfile.py").write_text(source)
    settings = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LOCUST_RUN_TIME": "1s",
        "REPRO_ARGUMENTS": json.dumps([]),
        "REPRO_LAUNCH": "cli",
        "REPRO_LOCUSTFILE": str(folder / "locustfile.py"),
        "REPRO_STACKS_SIGNAL": "12",
        "REPRO_TRIAL_DIR": str(folder),
        "REPRO_USERS": "3",
    }
    with (folder / "output.txt").open("w") as output:
        child = subprocess.Popen([sys.executable, str(BOOT)], env=settings, cwd=folder, stdout=output, stderr=output)
        fleet = Fleet(folder)
        try:
            yield fleet
        finally:
            fleet.close()
            child.kill()
            child.wait()


def seen(fleet: Fleet, is_so: Callable[[Reading], bool]) -> tuple[FlightRecord, Reading]:
    """The cell's record and what it says once that is so."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        for record in fleet.records():
            if is_so(reading := record.read()):
                return record, reading
        time.sleep(0.1)
    raise AssertionError("never so")


def dumped(record: FlightRecord) -> Dump:
    number = record.ask_loop_dump()
    deadline = time.monotonic() + LIMIT_S
    while record.loop_dump_done() < number and time.monotonic() < deadline:
        time.sleep(0.05)
    return read_dump(record.path.with_name(f"greenlets-loop-{record.pid}.json").read_text("utf-8"))


def are_told(reading: Reading) -> bool:
    return bool(reading.slots) and all(slot.killed for slot in reading.slots)


def test_the_handler_that_a_user_stands_in_is_named_with_its_line(tmp_path: Path) -> None:
    with hanging(CATCHES, tmp_path) as fleet:
        record, _ = seen(fleet, are_told)
        users = [greenlet for greenlet in dumped(record).greenlets if greenlet.user is not None]
    assert len(users) == 3
    for user in users:
        assert user.catch is not None
        assert (user.catch.line, user.catch.function, user.catch.code) == (9, "stubborn", "except:")


def test_what_replaced_an_exit_is_kept_with_its_place(tmp_path: Path) -> None:
    with hanging(REPLACES, tmp_path) as fleet:
        record, reading = seen(fleet, lambda reading: reading.deaths.lost_exits >= 3)
        users = [greenlet for greenlet in dumped(record).greenlets if greenlet.user is not None]
    assert reading.raised is not None
    assert (reading.raised.error, reading.raised.line) == ("RuntimeError: closed already", 13)
    assert reading.raised.function == "work"
    assert len(users) == 3
    assert all(user.catch is None for user in users)
