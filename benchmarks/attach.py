"""How true, and how fast, the stacks of a foreign frozen process are read, beside what other tools see of it.

    python benchmarks/attach.py stacks [COPIES]     a row for each Python and greenlet: stacks right, seconds, what py-spy shows
    python benchmarks/attach.py pauses [LOOKS]      the longest pause of a process under load that is looked at, and of its twin

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

from repro.errors import UntestableError
from repro.model import EnvironmentSpec
from repro.world.environments.cache import EnvironmentCache
from repro.world.memory.reader import reading_of
from repro.world.memory.target import target_of

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


if __name__ == "__main__":
    words = sys.argv[1:] or ["stacks"]
    number = int(words[1]) if len(words) > 1 else 0
    if words[0] == "pauses":
        pauses(number or LOOKS)
    else:
        stacks(number or COPIES)
