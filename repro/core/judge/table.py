"""The table from evidence to verdict: what a trial came to, and how it hung.

The judge (``judge.py``) turns the samples of a trial into ``Facts``; the first row of ``TABLE`` that holds for them
decides. No row, no verdict: the trial continues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repro.core.judge.samples import Standing
from repro.findings import Phase, RowName
from repro.model import HangClass, Verdict

BURNING_CORES = 0.5
"""Share of a core from which a process whose loop turns burns it: a crowd of sleepers needs far less."""

STANDING_CORES = 0.1
"""The same for a loop that stands: on a busy machine it may get no more, and a parked one stays below a hundredth."""

FAILED_AT_ONCE = 20
FAILED_FOR_S = 2.0
"""This many operations, all failed, over this many seconds before a trial is a crash: fewer may be a bad start."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the judge has made of the samples; seconds, users, operations. ``cores`` is processor time a second.

    ``loop_turns`` is true when one has turned lately, ``loop_silent`` when one has not for longer than its limit,
    ``native_silent`` when the agent's thread does not run either. ``locked``, ``unread``, ``unanswered`` and
    ``turning`` (running without an end while others make progress) count users that are stuck for certain, by what they
    are parked on; ``queued`` those that have waited for an answer past their limits, but no longer than others who were
    answered lately. ``unserved`` are those of the unanswered whose request the backend has not taken from the kernel
    yet. ``waited_out`` is true when the load is not extended any more for those who are waited for, ``unmoved``
    are those users then.
    ``no_end`` is true when nobody has ended an operation for longer than any in flight may take. ``grace_over`` is true
    when the time for stopping has passed and no user has gone lately. ``is_exit_asked``: the exit code is the one that
    Locust asks for by itself. ``may_end`` is true when the process may end without a stop: it is a standalone program,
    or its load has ended. ``own_end_s`` and ``left_s`` are the seconds of the load at which it ended by itself, or its
    last user did, 0 where none did. ``is_left_running``: a program that is still running when its time is over counts
    as ended well. ``logged`` are the requests by the backend's log: it knows better where no client was seen to call.
    """

    phase: Phase = Phase.LOAD
    exit_code: int | None = None
    load_s: float = 0.0
    is_script: bool = False
    start_over: bool = False
    loop_turns: bool = False
    loop_silent: bool = False
    native_silent: bool = False
    cores: float = 0.0
    users: int = 0
    locked: int = 0
    unread: int = 0
    unanswered: int = 0
    queued: int = 0
    unserved: int = 0
    waited_out: bool = False
    unmoved: int = 0
    turning: int = 0
    no_end: bool = False
    grace_over: bool = False
    ended: int = 0
    failed: int = 0
    failing_share: float = 0.5
    iterations: int = 0
    iteration_errors: int = 0
    starters_died: bool = False
    users_died: bool = False
    by_signal: bool = False
    is_exit_asked: bool = False
    may_end: bool = False
    own_end_s: float = 0.0
    is_left_running: bool = False
    left_s: float = 0.0
    standing: Standing | None = None
    is_faulted: bool = False
    backend_alive: bool = True
    backend_answering: bool = True
    logged: int = 0
    overflows: int = 0

    @property
    def exited(self) -> bool:
        """Whether the cell's leading process has ended."""
        return self.exit_code is not None

    @property
    def stuck_for_certain(self) -> int:
        """The users of whom it is known what they are stuck on."""
        return self.locked + self.unread + self.unanswered + self.turning

    @property
    def is_backend_overrun(self) -> bool:
        """Whether those who wait for an answer wait in the kernel's queues of a backend that does not keep up.

        It dropped as many connections, or most of the requests lie there: what it has taken it may be slow to answer.
        """
        is_overrun = self.overflows >= self.unanswered or 2 * self.unserved >= self.unanswered
        return self.unanswered > 0 and is_overrun and not self.is_faulted

    @property
    def is_at_capacity(self) -> bool:
        """Whether users had to wait for longer than anybody is waited for, while their queue moved to the end."""
        return self.queued > 0 and self.waited_out

    @property
    def is_waited_in_vain(self) -> bool:
        """Whether users have not moved since the load's time was over, and none of what was seen explains it."""
        return self.unmoved > 0 and self.waited_out and self.phase is Phase.LOAD

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

    @property
    def is_idle(self) -> bool:
        """Whether nothing was sent, by all that is known of it."""
        return self.ended == 0 and self.logged == 0

    @property
    def nobody_goes_on(self) -> bool:
        """Whether it is the program itself that does nothing: no user has begun, or it is a script."""
        return self.start_over or self.standing is not None

    @property
    def may_be_woken(self) -> bool:
        """Whether an event loop turns, or waits, that could go on with what has not begun."""
        return self.loop_turns or self.standing is Standing.WAITING

    @property
    def is_cut_short(self) -> bool:
        """Whether a signal from outside ended the load before its time, though its users ended well."""
        return self.exited and self.by_signal


@dataclass(frozen=True)
class Row:
    """One row of the table: its name, what must hold, and what it then is."""

    name: RowName
    holds: Callable[[Facts], bool]
    verdict: Verdict
    hang_class: HangClass | None = None


TABLE = (
    Row(RowName.BACKEND_DIED, lambda f: not f.backend_alive, Verdict.BACKEND),
    Row(RowName.ENDED_BEFORE_IT_BEGAN, lambda f: f.exited and f.phase is Phase.START, Verdict.CRASH),
    Row(RowName.DIED, lambda f: f.exited and (f.exit_code or 0) != 0 and not f.is_exit_asked, Verdict.CRASH),
    Row(RowName.ENDED_WITHOUT_A_CALL, lambda f: f.exited and f.is_script and f.is_idle, Verdict.CRASH),
    Row(RowName.ENDED_BY_ITSELF, lambda f: f.exited and f.phase is Phase.LOAD and not f.may_end, Verdict.CRASH),
    Row(RowName.CUT_SHORT, lambda f: f.is_cut_short, Verdict.CRASH),
    Row(RowName.NO_USER_STARTED, lambda f: f.starters_died, Verdict.CRASH),
    Row(RowName.ALL_USERS_DIED, lambda f: f.users_died, Verdict.CRASH),
    Row(RowName.ALL_FAILED_BACKEND_SILENT, lambda f: f.all_failed and not f.backend_answering, Verdict.BACKEND),
    Row(RowName.ALL_FAILED, lambda f: f.all_failed and not f.is_faulted, Verdict.CRASH),
    Row(
        RowName.OPERATIONS_FAILED,
        lambda f: f.exited and f.ended > 0 and f.failed >= f.failing_share * f.ended,
        Verdict.FAILING,
    ),
    Row(
        RowName.TASKS_FAILED,
        lambda f: f.exited and f.iteration_errors > 0 and f.iteration_errors >= f.failing_share * f.iterations,
        Verdict.FAILING,
    ),
    Row(RowName.NOTHING_SENT, lambda f: f.exited and f.is_idle, Verdict.FAILING),
    Row(RowName.RAN_AND_ENDED, lambda f: f.exited, Verdict.CLEAN),
    Row(
        RowName.LOOP_STANDS_BURNING,
        lambda f: f.stands_still and f.no_end and f.cores >= STANDING_CORES,
        Verdict.HANG,
        HangClass.SPINNING,
    ),
    Row(RowName.LOOP_STANDS, lambda f: f.stands_still and f.cores < STANDING_CORES, Verdict.HANG, HangClass.FROZEN),
    Row(RowName.SILENT_IN_LOCKS, lambda f: f.standing is Standing.LOCKED, Verdict.HANG, HangClass.FROZEN),
    Row(RowName.SILENT_PARKED, lambda f: f.standing is Standing.PARKED, Verdict.HANG, HangClass.DEADLOCKED),
    Row(RowName.SILENT_UNSERVED, lambda f: f.standing is Standing.UNSERVED, Verdict.HANG, HangClass.FROZEN),
    Row(
        RowName.NEVER_BEGAN_BURNING,
        lambda f: f.start_over and f.cores >= BURNING_CORES,
        Verdict.HANG,
        HangClass.SPINNING,
    ),
    Row(RowName.NEVER_BEGAN, lambda f: f.start_over and not f.may_be_woken, Verdict.HANG, HangClass.FROZEN),
    Row(RowName.NEVER_BEGAN_UNEXPLAINED, lambda f: f.start_over, Verdict.INCONCLUSIVE),
    Row(RowName.SILENT_UNEXPLAINED, lambda f: f.standing is not None, Verdict.INCONCLUSIVE),
    Row(RowName.LOCKED, lambda f: f.locked > 0, Verdict.HANG, HangClass.DEADLOCKED),
    Row(RowName.UNREAD, lambda f: f.unread > 0, Verdict.HANG, HangClass.DEADLOCKED),
    Row(
        RowName.BURNING,
        lambda f: f.phase is not Phase.START and f.no_end and f.users > 0 and f.cores >= BURNING_CORES,
        Verdict.HANG,
        HangClass.SPINNING,
    ),
    Row(
        RowName.NO_ANSWER_BACKEND_SILENT,
        lambda f: f.unanswered > 0 and not f.backend_answering,
        Verdict.BACKEND,
    ),
    Row(
        RowName.NO_ANSWER_BACKEND_OVERRUN,
        lambda f: f.is_backend_overrun,
        Verdict.BACKEND,
    ),
    Row(RowName.NO_ANSWER, lambda f: f.unanswered > 0, Verdict.HANG, HangClass.UNANSWERED),
    Row(RowName.AT_CAPACITY, lambda f: f.is_at_capacity, Verdict.BACKEND),
    Row(RowName.TURNING, lambda f: f.turning > 0, Verdict.HANG, HangClass.SPINNING),
    Row(RowName.WAITED_IN_VAIN, lambda f: f.is_waited_in_vain, Verdict.INCONCLUSIVE),
    Row(RowName.USERS_OUTLIVE_THE_STOP, lambda f: f.grace_over and f.users > 0, Verdict.HANG, HangClass.UNSTOPPABLE),
    Row(RowName.PROCESS_OUTLIVES_THE_STOP, lambda f: f.grace_over, Verdict.HANG, HangClass.UNSTOPPABLE),
)
"""The order matters: what cannot be a hang stands first, and a loop that stands explains users that do not stop."""


_OF_A_TRIAL = frozenset(
    {
        RowName.SILENT_IN_LOCKS,
        RowName.SILENT_PARKED,
        RowName.SILENT_UNSERVED,
        RowName.NEVER_BEGAN_BURNING,
        RowName.NEVER_BEGAN,
        RowName.PROCESS_OUTLIVES_THE_STOP,
    }
)
"""Hangs of a program that has a time to begin and to end: somebody's own may prepare, wait or tidy up for hours."""

HANGS = tuple(row for row in TABLE if row.hang_class is not None and row.name not in _OF_A_TRIAL)
"""The rows for a command that runs on whatever it comes to, as long as it does not hang."""


def decide(facts: Facts, table: Sequence[Row] = TABLE) -> Row | None:
    """The first row that holds, or None when the trial has to go on."""
    return next((row for row in table if row.holds(facts)), None)
