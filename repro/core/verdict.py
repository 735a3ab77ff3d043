"""The table from evidence to verdict: what a trial came to, and how it hung.

The judge (``judge.py``) turns the samples of a trial into ``Facts``; the first row of ``TABLE`` that holds for them
decides. No row, no verdict: the trial goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from repro.model import HangClass, Verdict

BURNING_CORES = 0.5
"""Share of a core from which a process whose loop turns burns it: a crowd of sleepers needs far less."""

STANDING_CORES = 0.1
"""The same for a loop that stands: on a busy machine it may get no more, and a parked one stays below a hundredth."""

FAILED_AT_ONCE = 20
FAILED_FOR_S = 2.0
"""So many operations, all failed, over so many seconds before a trial is a crash: fewer may be a bad start."""


class Phase(StrEnum):
    """Where a trial is: before its first user, under load, told to stop."""

    START = "start"
    LOAD = "load"
    STOPPING = "stopping"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the judge has made of the samples; seconds, users, operations. ``cores`` is processor time a second.

    ``loop_silent`` is true when an event loop has not turned for longer than its limit, ``native_silent`` when the
    agent's thread does not run either. ``locked``, ``unread``, ``unanswered`` and ``turning`` (running without
    an end, others get on) count users that are stuck for certain, by what they are parked on. ``no_end`` is true when nobody has ended an operation for longer than any in
    flight may take. ``grace_over`` is true when the time for stopping has passed and no user has gone lately.
    """

    phase: Phase = Phase.LOAD
    exit_code: int | None = None
    load_s: float = 0.0
    is_script: bool = False
    start_over: bool = False
    loop_silent: bool = False
    native_silent: bool = False
    cores: float = 0.0
    users: int = 0
    locked: int = 0
    unread: int = 0
    unanswered: int = 0
    turning: int = 0
    no_end: bool = False
    grace_over: bool = False
    ended: int = 0
    failed: int = 0
    failing_share: float = 0.5
    is_faulted: bool = False
    backend_alive: bool = True
    backend_answering: bool = True

    @property
    def exited(self) -> bool:
        """Whether the cell's leading process has ended."""
        return self.exit_code is not None

    @property
    def stuck_for_certain(self) -> int:
        """The users of whom it is known what they are stuck on."""
        return self.locked + self.unread + self.unanswered + self.turning

    @property
    def stands_still(self) -> bool:
        """Whether an event loop stands that has users to serve.

        Before the first one a program may well be busy preparing, after the last one it has only to exit.
        """
        return (
            self.loop_silent
            and self.phase is not Phase.START
            and not (self.phase is Phase.STOPPING and self.users == 0)
        )

    @property
    def all_failed(self) -> bool:
        """Whether every operation failed, and there were enough to say so."""
        is_enough = self.exited or (self.ended >= FAILED_AT_ONCE and self.load_s >= FAILED_FOR_S)
        return self.ended > 0 and self.failed == self.ended and is_enough


@dataclass(frozen=True)
class Row:
    """One row of the table: a name for people, what must hold, and what it then is."""

    name: str
    holds: Callable[[Facts], bool]
    verdict: Verdict
    hang_class: HangClass | None = None


TABLE = (
    Row("the backend has died", lambda f: not f.backend_alive, Verdict.BACKEND),
    Row("ended before it began", lambda f: f.exited and f.phase is Phase.START, Verdict.CRASH),
    Row("died", lambda f: f.exited and (f.exit_code or 0) != 0, Verdict.CRASH),
    Row("ended by itself without a call", lambda f: f.exited and f.is_script and f.ended == 0, Verdict.CRASH),
    Row("ended by itself", lambda f: f.exited and f.phase is Phase.LOAD and not f.is_script, Verdict.CRASH),
    Row(
        "every operation failed, the backend silent",
        lambda f: f.all_failed and not f.backend_answering,
        Verdict.BACKEND,
    ),
    Row(
        "every operation failed at once",
        lambda f: f.all_failed and not f.is_faulted,
        Verdict.CRASH,
    ),
    Row(
        "operations failed",
        lambda f: f.exited and f.ended > 0 and f.failed >= f.failing_share * f.ended,
        Verdict.FAILING,
    ),
    Row("nothing was sent", lambda f: f.exited and f.ended == 0, Verdict.FAILING),
    Row("ran and ended", lambda f: f.exited, Verdict.CLEAN),
    Row(
        "the event loop stands, a core burns",
        lambda f: f.stands_still and f.no_end and f.cores >= STANDING_CORES,
        Verdict.HANG,
        HangClass.SPINNING,
    ),
    Row(
        "the event loop stands",
        lambda f: f.stands_still and f.cores < STANDING_CORES,
        Verdict.HANG,
        HangClass.FROZEN,
    ),
    Row(
        "never began, a core burns",
        lambda f: f.start_over and f.cores >= BURNING_CORES,
        Verdict.HANG,
        HangClass.SPINNING,
    ),
    Row("never began", lambda f: f.start_over, Verdict.HANG, HangClass.FROZEN),
    Row("users parked on locks", lambda f: f.locked > 0, Verdict.HANG, HangClass.DEADLOCKED),
    Row("answers lie unread", lambda f: f.unread > 0, Verdict.HANG, HangClass.DEADLOCKED),
    Row(
        "the loop turns, a core burns, nothing ends",
        lambda f: f.phase is not Phase.START and f.no_end and f.users > 0 and f.cores >= BURNING_CORES,
        Verdict.HANG,
        HangClass.SPINNING,
    ),
    Row(
        "no answer, the backend silent",
        lambda f: f.unanswered > 0 and not f.backend_answering,
        Verdict.BACKEND,
    ),
    Row("no byte came back", lambda f: f.unanswered > 0, Verdict.HANG, HangClass.UNANSWERED),
    Row("users turn in a loop, others get on", lambda f: f.turning > 0, Verdict.HANG, HangClass.SPINNING),
    Row("users outlive the stop", lambda f: f.grace_over and f.users > 0, Verdict.HANG, HangClass.UNSTOPPABLE),
    Row("the process outlives the stop", lambda f: f.grace_over, Verdict.HANG, HangClass.UNSTOPPABLE),
)
"""The order matters: what cannot be a hang stands first, and a loop that stands explains users that do not stop."""


def decide(facts: Facts) -> Row | None:
    """The first row that holds, or None when the trial has to go on."""
    return next((row for row in TABLE if row.holds(facts)), None)
