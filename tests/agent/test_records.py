"""Flight records under real forks and on real disks: who gets one, how many there are, and what a full disk does to them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import repro
from repro.agent import layout as at
from repro.errors import StoreError
from repro.findings import Unseen
from repro.world.collecting.flight import Fleet, FlightRecord

pytestmark = pytest.mark.timed

BOOT = Path(repro.__file__).parent / "agent" / "boot.py"
LIMIT_S = 180

STAYS = """
import os, sys, time
def call():
    with sys.modules["repro_agent"].operation("call"):
        pass
for _ in range(50):  # as a program's subprocesses come to be: they execute another program at once
    if os.fork() == 0:
        os.execv("/bin/true", ["true"])
    os.wait()
if os.fork() == 0:  # one that calls the client and ends
    call()
    os._exit(0)
os.wait()
stays = os.fork()
if stays == 0:  # one that does nothing, but stays
    time.sleep(600)
print(stays, flush=True)
deadline = time.monotonic() + 30
while not os.path.exists("%s/faulthandler-%d.txt" % (os.environ["REPRO_TRIAL_DIR"], stays)):
    assert time.monotonic() < deadline
    time.sleep(0.02)
time.sleep(0.3)
os.kill(stays, 9)
"""

MANY = """
import os, sys
for _ in range(MOST + 4):
    if os.fork() == 0:
        with sys.modules["repro_agent"].operation("call"):
            pass
        os._exit(0)
    os.wait()
"""

CROWD = """
import sys, threading, time
def call():
    with sys.modules["repro_agent"].operation("call"):
        time.sleep(0.3)
threads = [threading.Thread(target=call) for _ in range(7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def run_cell(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    script = Path(variables.pop("script", str(folder / "script.py")))
    script.write_text(code)
    settings = {
        "PATH": os.defpath,
        "REPRO_LAUNCH": "script",
        "REPRO_LOCUSTFILE": str(script),
        "REPRO_TRIAL_DIR": str(folder),
        "REPRO_STACKS_SIGNAL": "12",
        "REPRO_SLOTS": "100",
        **variables,
    }
    argv = [sys.executable, str(BOOT)]
    return subprocess.run(argv, env=settings, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def test_a_forked_child_leaves_files_only_when_it_calls_or_stays(tmp_path: Path) -> None:
    done = run_cell(STAYS, tmp_path)
    assert done.returncode == 0, done.stderr
    readings = {reading.pid: reading for reading in Fleet(tmp_path).read()}
    stays = int(done.stdout)
    assert len(readings) == 3
    assert readings[stays].native_at > readings[stays].started
    assert sorted(reading.ended for reading in readings.values()) == [0, 0, 1]
    assert len(list(tmp_path.glob("faulthandler-*"))) == 2


def test_the_records_of_a_trial_are_bounded_and_who_goes_without_is_counted(tmp_path: Path) -> None:
    done = run_cell(MANY.replace("MOST", str(at.MOST_RECORDS)), tmp_path, REPRO_SLOTS="4")
    assert done.returncode == 0, done.stderr
    fleet = Fleet(tmp_path)
    readings = fleet.read()
    assert len(readings) == at.MOST_RECORDS
    assert sum(reading.ended for reading in readings) == at.MOST_RECORDS - 1
    assert fleet.unseen() == Unseen(processes=5)


def test_the_bytes_of_all_records_are_bounded_too(tmp_path: Path) -> None:
    allowed = at.FEWEST_RECORDS + 2
    slots = at.MOST_RECORD_BYTES // allowed // at.WORD // at.SLOT_WORDS - at.SLOTS_AT
    done = run_cell(MANY.replace("MOST", str(allowed)), tmp_path, REPRO_SLOTS=str(slots))
    assert done.returncode == 0, done.stderr
    files = list(tmp_path.glob("flight-*.bin"))
    assert len(files) == allowed
    assert sum(file.stat().st_blocks * 512 for file in files) <= at.MOST_RECORD_BYTES + allowed * 4096
    assert (tmp_path / at.UNSEEN_FILE).read_bytes() == b"....."
    for file in files:
        file.unlink()


def test_calls_beyond_the_slots_are_counted(tmp_path: Path) -> None:
    done = run_cell(CROWD, tmp_path, REPRO_SLOTS="4")
    assert done.returncode == 0, done.stderr
    fleet = Fleet(tmp_path)
    (reading,) = fleet.read()
    assert reading.ended == 4
    assert fleet.unseen() == Unseen(calls=3)


@pytest.mark.parametrize("size_kb", [8, 16])
def test_a_disk_without_room_for_the_record_ends_the_cell_with_one_sentence(
    size_kb: int, tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    folder = small_disk(size_kb)
    done = run_cell("print('never')", folder, script=str(tmp_path / "script.py"))
    assert (done.returncode, done.stdout) == (at.NO_RECORD, "")
    assert done.stderr.startswith(
        "repro: the flight record cannot be written: No space left on device; free some space"
    )
    with pytest.raises(StoreError, match="No space left on device; free some space there, or choose another folder"):
        Fleet(folder).read()


def test_a_forked_child_without_room_goes_on_and_is_told(tmp_path: Path, small_disk: Callable[[int], Path]) -> None:
    code = MANY.replace("MOST", "1") + "print('went on')"
    folder = small_disk(28)
    done = run_cell(code, folder, script=str(tmp_path / "script.py"))
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
    with pytest.raises(StoreError, match="No space left on device"):
        Fleet(folder).read()


def test_a_limit_of_file_sizes_is_told_likewise(tmp_path: Path) -> None:
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); os.execv(sys.argv[1], sys.argv[1:])"
    script = tmp_path / "script.py"
    script.write_text("print('never')")
    settings = {"REPRO_LAUNCH": "script", "REPRO_LOCUSTFILE": str(script), "REPRO_TRIAL_DIR": str(tmp_path)}
    argv = [sys.executable, "-c", limited, sys.executable, str(BOOT)]
    env = {**settings, "REPRO_STACKS_SIGNAL": "12"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == at.NO_RECORD
    assert "the flight record cannot be written: File too large" in done.stderr


def whole_record(folder: Path) -> Path:
    """The record of a cell that has gone, with one operation in it."""
    done = run_cell('import sys\nwith sys.modules["repro_agent"].operation("call"): pass', folder)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("flight-*.bin")
    return path


def word_at(index: int) -> int:
    return index * at.WORD


NAN = b"\x00\x00\x00\x00\x00\x00\xf8\x7f"
HUGE = b"\xff\xff\xff\xff\xff\xff\xff\xff"
FUTURE = b"\x00\x00\x00\x00\x84\xd7\x97\x41"  # 1e8 seconds
SLOT = at.SLOTS_AT


@pytest.mark.parametrize(
    ("start", "data", "says"),
    [
        (0, b"scribble", "its first word is not the agent's"),
        (word_at(at.H_SLOTS), HUGE, "slots"),
        (word_at(at.H_SLOTS_USED), HUGE, "it claims to use"),
        (word_at(at.H_ROLE), HUGE, "it names role"),
        (word_at(at.H_PHASE), b"\x09", "phase 9"),
        (word_at(at.H_NAMES), HUGE, "it claims to name"),
        (word_at(at.H_LOOP_AT), NAN, "a time that is invalid"),
        (word_at(at.H_LOAD_AT), FUTURE, "in the future"),
        (SLOT + word_at(at.S_STATE), b"\x07", "in an unknown state"),
        (SLOT + word_at(at.S_BEGAN), NAN, "a time that is invalid"),
        (SLOT + word_at(at.S_LAST_END), FUTURE, "in the future"),
        (SLOT + word_at(at.S_ENDED), HUGE, "more operations than there can be"),
        (0, os.urandom(SLOT), "is damaged"),
    ],
)
def test_what_the_agent_never_writes_is_not_believed(start: int, data: bytes, says: str, tmp_path: Path) -> None:
    path = whole_record(tmp_path)
    record = FlightRecord(path)
    assert record.read().ended == 1
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)
    if start != SLOT + word_at(at.S_ENDED):
        with path.open("r+b") as file:  # the slot of one that has gone is no longer looked at but for its counts
            file.seek(SLOT + word_at(at.S_STATE))
            file.write(data if start == SLOT + word_at(at.S_STATE) else b"\x02")
    with pytest.raises(StoreError, match=says) as raised:
        record.read()
    assert str(path) in str(raised.value)


def test_text_that_is_none_is_read_leniently(tmp_path: Path) -> None:
    path = whole_record(tmp_path)
    with path.open("r+b") as file:
        file.seek(at.ERROR_AT)
        file.write(b"\xff\xfe broken")
        file.seek(at.DEATH_AT)
        file.write(b"error\nfile\n\xc2\xb2\n")  # a digit that int() does not take
    reading = FlightRecord(path).read()
    assert reading.error.endswith(" broken")
    assert reading.raised is None


@pytest.mark.parametrize("size", [0, 100, at.SLOTS_AT, at.SLOTS_AT + 64])
def test_a_record_that_shrinks_is_one_error_and_no_signal(size: int, tmp_path: Path) -> None:
    path = whole_record(tmp_path)
    record = FlightRecord(path)
    assert record.read().ended == 1
    os.truncate(path, size)
    with pytest.raises(StoreError, match=r"cut to|should have"):
        record.read()
    path.unlink()
    with pytest.raises(StoreError, match="it was deleted"):
        record.read()
    with pytest.raises(StoreError, match="it was deleted"):
        record.ask_stop()


def test_rows_in_the_making_are_read_again(tmp_path: Path) -> None:
    """A writer that never rests: what is read of a slot belongs together, for both its counts are written in one go."""
    code = """
import os, sys, time
from repro_agent import flight, layout as at
slot = flight.record.take(at.KIND_OTHER, 1)
name = flight.record.name("call")
ends = time.monotonic() + 20
open(os.environ["REPRO_TRIAL_DIR"] + "/ready", "w").close()
while time.monotonic() < ends and not os.path.exists(os.environ["REPRO_TRIAL_DIR"] + "/done"):
    for _ in range(200):
        slot.begin(name, 0.0, 0.0, 0.0)
        slot.end(failed=True)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    settings = {"REPRO_LAUNCH": "script", "REPRO_LOCUSTFILE": str(script), "REPRO_TRIAL_DIR": str(tmp_path)}
    child = subprocess.Popen([sys.executable, str(BOOT)], env={**settings, "REPRO_STACKS_SIGNAL": "12"})
    try:
        deadline = time.monotonic() + LIMIT_S
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        fleet = Fleet(tmp_path)
        readings = [fleet.read()[0] for _ in range(300)]
    finally:
        (tmp_path / "done").touch()
        child.wait(LIMIT_S)
    assert readings[-1].ended > readings[0].ended
    assert all(reading.begun - reading.ended in {0, 1} for reading in readings)
    assert sum(reading.ended != reading.failed for reading in readings) < len(readings) / 2


ANSWERS = """
import sys, time
import gevent
def call():
    with sys.modules["repro_agent"].operation("call"):
        gevent.sleep(600)
gevent.spawn(call).join()
"""


def test_an_answer_that_the_disk_does_not_take_is_an_answer(tmp_path: Path, small_disk: Callable[[int], Path]) -> None:
    folder = small_disk(64)
    script = tmp_path / "script.py"
    script.write_text(ANSWERS)
    settings = {"REPRO_LAUNCH": "script", "REPRO_LOCUSTFILE": str(script), "REPRO_TRIAL_DIR": str(folder)}
    env = {**settings, "REPRO_STACKS_SIGNAL": "12", "REPRO_SLOTS": "100"}
    child = subprocess.Popen([sys.executable, str(BOOT)], env=env)
    try:
        fleet = Fleet(folder)
        await_(lambda: any(record.loop_beats() for record in fleet.records()))
        (record,) = fleet.records()
        fill(folder)
        for ask, done in (
            (record.ask_loop_dump, record.loop_dump_done),
            (record.ask_thread_dump, record.thread_dump_done),
        ):
            number = ask()
            await_(lambda done=done, number=number: done() == number)
            assert record.dump_failure() == "the answer could not be written: No space left on device"
        beats = record.loop_beats()
        await_(lambda: record.loop_beats() > beats)  # the program goes on
        (folder / "filling").unlink()
        number = record.ask_loop_dump()
        await_(lambda: record.loop_dump_done() == number)
        assert (folder / f"greenlets-loop-{child.pid}.json").exists()
    finally:
        child.kill()
        child.wait(LIMIT_S)


def fill(folder: Path) -> None:
    """Take what is left of a disk."""
    with (folder / "filling").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError:
            return


def await_(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


COLLECTS = """
import gc, os, time
class Slow:
    def __del__(self):
        if os.environ.get("STOPS"):
            time.sleep(600)
with __import__("sys").modules["repro_agent"].operation("call"):
    pass
gc.disable()
for _ in range(7):
    gc.collect()
gc.set_threshold(123, 4, 5)
one = Slow()
one.own = one
del one
if os.environ.get("STOPS"):
    import threading
    def end():
        time.sleep(0.5)
        os.kill(os.getpid(), 9)
    threading.Thread(target=end).start()
gc.collect()
"""


@pytest.mark.parametrize("stops", ["", "1"])
def test_collections_are_noted_as_they_begin_and_end(tmp_path: Path, stops: str) -> None:
    run_cell(COLLECTS, tmp_path, STOPS=stops)
    (reading,) = Fleet(tmp_path).read()
    found = reading.collections
    assert found.begun >= 8
    assert found.is_under_way == bool(stops)
    assert found.in_main
    assert found.beats == 0
    assert found.thresholds == ((700, 10, 10) if stops else (123, 4, 5))
