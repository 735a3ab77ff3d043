"""Days at the edge of what is allowed: many users, many cells, false clocks."""

from collections.abc import Callable

from day import Day, Outcome
from loads import after, load
from right import clean, not_hang, verdict
from table import Try


def crowd(users: int, rate: int) -> Callable[[Day], Outcome]:
    """Healthy users, so many and started so fast."""
    settings = ("--set", f"users={users}", "--set", f"spawn_rate={rate}", "--set", "seconds=3", "--trials", "1")
    return lambda day: day.run(quick=settings)


def clock(action: str) -> Callable[[Day], Outcome]:
    """A load whose clock is false from the second second on."""
    return lambda day: day.load(load(beside=after(1, action)), "--set", "seconds=3")


TRIES = (
    Try("one-user", "bounds", crowd(1, 1), clean()),
    Try("spawn-rate-all-at-once", "bounds", crowd(100, 0), clean()),
    Try("spawn-rate-tiny", "bounds", lambda day: day.run("--set", "spawn_rate=0.001"), not_hang()),
    Try("seconds-1", "bounds", lambda day: day.run("--set", "seconds=1"), clean()),
    Try("messages-none", "bounds", lambda day: day.run("--set", "messages=0"), clean()),
    Try("users-3000", "bounds", crowd(3000, 1000), not_hang(), is_slow=True, timeout_s=240),
    Try("users-10000", "bounds", crowd(10_000, 2000), not_hang(), is_slow=True, timeout_s=400),
    Try("clock-jumps-ahead", "bounds", clock("real = time.time\ntime.time = lambda: real() + 1e6"), clean()),
    Try("clock-stands-still", "bounds", clock("now = time.time()\ntime.time = lambda: now"), not_hang()),
    Try("clock-runs-backwards", "bounds", clock("real = time.time\ntime.time = lambda: 2e9 - real()"), not_hang()),
    Try(
        "monotonic-jumps-ahead",
        "bounds",
        clock("real = time.monotonic\ntime.monotonic = lambda: real() + 1e6"),
        verdict("clean", "crash", "failing", "inconclusive"),
    ),
    Try(
        "message-of-256-kb",
        "bounds",
        lambda day: day.load(load(work='self.sqs.send_message(QueueUrl=self.url, MessageBody="x" * 250_000)')),
        clean(),
    ),
    Try("locustfile-of-50000-lines", "bounds", lambda day: day.load(load(beside="x = 1\n" * 50_000)), clean()),
    Try(
        "200-user-classes",
        "bounds",
        lambda day: day.load(
            load(beside="".join(f"class S{n}(Sender):\n    pass\n" for n in range(200))), "--set", "users=200"
        ),
        clean(),
    ),
)
