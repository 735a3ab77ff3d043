"""How true, and how fast, the stacks of a foreign frozen process are read, beside what other tools see of it.

    python benchmarks/attach.py stacks [COPIES]     a row for each Python and greenlet: stacks right, seconds, what py-spy shows
    python benchmarks/attach.py pauses [LOOKS]      the longest pause of a process under load that is looked at, and of its twin
    python benchmarks/attach.py attaches [TIMES] [RESULTS]    the same, attached to anew each time; errors of its calls, too

``attaches`` adds a line to ``RESULTS`` (attaches.jsonl beside this file) after every 20 attaches, each to new processes.
It continues where it was stopped, and prints the sums.
``COPIES`` times 14 greenlets are parked in as many ways; the truth is what the process saw itself before it froze.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from repro.errors import ReproError, UntestableError
from repro.model import EnvironmentSpec
from repro.world.environments.cache import EnvironmentCache
from repro.world.memory.reader import reading_of
from repro.world.memory.source.target import target_of

CHILD = Path(__file__).parents[1] / "tests" / "world" / "memory" / "children" / "parked.py"
PAIRS = (
    ("3.8", "1.1.3", "21.12.0"),
    ("3.9", "2.0.2", "22.10.2"),
    ("3.10", "3.0.3", "24.2.1"),
    ("3.11", "3.0.3", "24.2.1"),
    ("3.11", "3.5.6", "26.9.0"),
    ("3.12", "3.5.6", "26.9.0"),
    ("3.13", "3.5.6", "26.9.0"),
)
COPIES = 15
LOOKS = 100
TIMES = 1000
BATCH = 20
PROCESSES = ("attached to", "its twin")
OURS = ("attached", "failed")
RESULTS = Path(__file__).with_name("attaches.jsonl")
USERS = 50
TICKER = """
import sys, time, gevent
from gevent import monkey
monkey.patch_all()
def user():
    while True:
        sum(range(2000))
        gevent.sleep(0.001)
for _ in range(50):
    gevent.spawn(user)
print("ready", flush=True)
longest, last, ends = 0.0, time.perf_counter(), time.time() + float(sys.argv[1])
while time.time() < ends:
    gevent.sleep(0.001)
    now = time.perf_counter()
    longest, last = max(longest, now - last), now
print(longest, flush=True)
"""


CALLER = """
import json, os, socket, sys, time
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.server import StreamServer
def answer(one, _):
    while one.recv(64):
        one.sendall(b"x" * 64)
server = StreamServer(("127.0.0.1", 0), answer)
server.start()
seen = {"calls": 0, "errors": 0, "longest_ms": 0.0, "over_50_ms": 0}
def user():
    one = socket.create_connection(server.address)
    while True:
        try:
            one.sendall(b"y" * 64)
            assert len(one.recv(64)) == 64
            seen["calls"] += 1
        except Exception:
            seen["errors"] += 1
        gevent.sleep(0.05)
for _ in range(50):
    gevent.spawn(user)
last = time.perf_counter()
told = 0.0
while True:
    gevent.sleep(0.001)
    now = time.perf_counter()
    pause_ms = (now - last) * 1000
    seen["over_50_ms"] += pause_ms > 50
    seen["longest_ms"] = max(seen["longest_ms"], pause_ms)
    if now - told > 1.0:
        told = now
        with open(sys.argv[1] + ".new", "w") as file:
            json.dump(seen, file)
        os.replace(sys.argv[1] + ".new", sys.argv[1])
    last = time.perf_counter()
"""


def stacks(copies: int) -> None:
    """Print a row for each pair."""
    print(
        "| Python | greenlet | gevent | parked greenlets | stacks right | what each waits for is known | first look s | next look s | py-spy: frames in all |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for python, greenlet, gevent in PAIRS:
        pins = {"gevent": gevent, "greenlet": greenlet}
        spec = EnvironmentSpec(python=python, pins=pins, requires=("setuptools<80",))
        try:
            interpreter = EnvironmentCache().ensure(spec).interpreter
        except UntestableError as error:
            print(f"| {python} | {greenlet} | {gevent} | {str(error)[:60]} |")
            continue
        print(f"| {python} | {greenlet} | {gevent} | {_row(interpreter, copies)} |", flush=True)


def _row(interpreter: Path, copies: int) -> str:
    with tempfile.TemporaryDirectory() as folder, _child(interpreter, Path(folder) / "truth", copies) as child:
        began = time.perf_counter()
        reading = reading_of(target_of(child.pid))
        dump = reading.dump()
        first_s = time.perf_counter() - began
        times = []
        for _ in range(5):
            began = time.perf_counter()
            reading.dump()
            times.append(time.perf_counter() - began)
        reading.close()
        expected = json.loads((Path(folder) / "truth").read_text())
        spy = subprocess.run(
            [Path(sys.executable).with_name("py-spy"), "dump", "--pid", str(child.pid), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
    found = {str(one.id): [[frame.file, frame.line, frame.function] for frame in one.stack] for one in dump.greenlets}
    right = sum(found.get(one) == stack for one, stack in expected.items())
    known = sum(one.wait is not None for one in dump.greenlets if str(one.id) in expected)
    frames = sum(len(thread["frames"]) for thread in json.loads(spy.stdout)) if spy.returncode == 0 else "none"
    share = f"{right} of {len(expected)}"
    return f"{len(expected)} | {share} | {known} | {first_s:.2f} | {statistics.median(times):.2f} | {frames}"


@contextlib.contextmanager
def _child(interpreter: Path, truth: Path, copies: int) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen([interpreter, CHILD, "lock", truth, str(copies)], stdout=subprocess.PIPE, text=True)
    try:
        child.stdout.readline()
        time.sleep(0.3)
        yield child
    finally:
        child.kill()
        child.wait()


def pauses(looks: int) -> None:
    """Print the longest pause of two processes under the same load, of which one is looked at so many times."""
    seconds = 10 + looks * 0.3
    argv = [sys.executable, "-c", TICKER, str(seconds)]
    looked_at, twin = (subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2))
    for child in (looked_at, twin):
        child.stdout.readline()
    reading = reading_of(target_of(looked_at.pid))
    for done in range(looks):
        if looked_at.poll() is not None:
            looks = done
            break
        reading.dump()
    reading.close()
    longest = [float(child.stdout.readline()) for child in (looked_at, twin)]
    print("| process | looks | longest pause ms |\n|---|---|---|")
    print(f"| looked at | {looks} | {longest[0] * 1000:.0f} |\n| its twin | 0 | {longest[1] * 1000:.0f} |")


def attaches(times: int, results: Path) -> None:
    """Attach until ``results`` has so many attaches, a line for each batch, then print the sums of all."""
    while (done := sum(batch["attached"] for batch in _batches(results))) < times:
        batch = _batch(min(BATCH, times - done))
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(batch) + "\n")
    found = _batches(results)
    print("| process | attached | errors of ours | calls | errors | longest pause ms | pauses over 50 ms |")
    print("|---|---|---|---|---|---|---|")
    for name in PROCESSES:
        seen = [batch[name] for batch in found]
        times, ours = (sum(batch[key] for batch in found) if name == PROCESSES[0] else 0 for key in OURS)
        sums = {key: sum(one[key] for one in seen) for key in ("calls", "errors", "over_50_ms")}
        longest_ms = max(one["longest_ms"] for one in seen)
        cells = (name, times, ours, sums["calls"], sums["errors"], round(longest_ms), sums["over_50_ms"])
        print(f"| {' | '.join(map(str, cells))} |")


def _batches(results: Path) -> list[dict]:
    """The batches so far."""
    return [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []


def _batch(times: int) -> dict:
    """What two new processes have seen, of which one was attached to so many times."""
    with tempfile.TemporaryDirectory() as folder:
        notes = {name: Path(folder) / name for name in PROCESSES}
        children = [subprocess.Popen([sys.executable, "-c", CALLER, str(note)]) for note in notes.values()]
        try:
            while not all(note.exists() for note in notes.values()):
                time.sleep(0.1)
            failed = sum(not _attached(children[0].pid) for _ in range(times))
            time.sleep(1.5)
            return {"attached": times, "failed": failed} | {
                name: json.loads(note.read_text()) for name, note in notes.items()
            }
        finally:
            for child in children:
                child.kill()
                child.wait()


def _attached(pid: int) -> bool:
    """Whether one whole attach has read the process: its interpreter's layout learned, one look, let go."""
    try:
        reading = reading_of(target_of(pid))
    except ReproError as error:
        print(error, file=sys.stderr, flush=True)
        return False
    try:
        return len(reading.dump().greenlets) >= USERS
    finally:
        reading.close()


if __name__ == "__main__":
    words = sys.argv[1:] or ["stacks"]
    number = int(words[1]) if len(words) > 1 else 0
    if words[0] == "pauses":
        pauses(number or LOOKS)
    elif words[0] == "attaches":
        attaches(number or TIMES, Path(words[2]) if len(words) > 2 else RESULTS)
    else:
        stacks(number or COPIES)
