"""Where the time of the tests goes: seconds on the clock and of the processor, by file, the dearest first.

    python benchmarks/time_of_tests.py [arguments for pytest]    such as: -n 3 --dist loadfile -m timed

Processor time is that of the test's own process and of the children that it waited for; clock time is summed over all workers,
so it is what the tests would take one after another on a machine that is as busy.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

COSTS = "costs"
ROWS = 25

_spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])


def processor_s() -> float:
    """Seconds that this process and its children have taken of the processor."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Fixtures count for the test that they were made for."""
    clock, processor = time.monotonic(), processor_s()
    item.user_properties.append((COSTS, lambda: (time.monotonic() - clock, processor_s() - processor)))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[object]:
    """The teardown's report takes the figures to wherever the reports are read."""
    report = yield
    measured = [value for name, value in item.user_properties if name == COSTS]
    others = [(name, value) for name, value in item.user_properties if name != COSTS]
    report.user_properties = [*others, (COSTS, measured[0]())] if call.when == "teardown" and measured else others
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Sums them up by file."""
    for name, value in report.user_properties:
        if name == COSTS:
            for key in (report.nodeid.partition("::")[0], "all"):
                row = _spent[key]
                row[0] += 1
                row[1] += value[0]
                row[2] += value[1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, the dearest file first."""
    say = terminalreporter.write_line
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[2]:.1f} over 15 minutes, Python {platform.python_version()}")
    say("| file | tests | clock s | processor s |")
    say("|---|---:|---:|---:|")
    for name, (tests, clock, processor) in sorted(_spent.items(), key=lambda item: -item[1][1])[:ROWS]:
        say(f"| {name} | {tests} | {clock:.1f} | {processor:.1f} |")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    raise SystemExit(pytest.main(["-p", "time_of_tests", *sys.argv[1:]]))
