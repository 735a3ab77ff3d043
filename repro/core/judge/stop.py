"""The end of a load: when it is due, and whether users or their process have outlived it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from repro.core.judge.now import Now
from repro.core.judge.table import BURNING_CORES
from repro.core.judge.tracks import DECLINE_S
from repro.findings import Phase

LONGEST_EXTENSION_S = 150.0
"""The load is extended while somebody is waited for, at most by this."""
GRACES = 3
STOPPED_A_SECOND = 20
"""Users that end within a second at the least, once they are told, on a machine with other work."""


@dataclass(frozen=True)
class Stop:
    """That of one sample."""

    now: Now

    def is_due(self, *, is_somebody_waited_for: bool) -> bool:
        """Whether the load has had its time, and nobody is waited for any more: then we ask for the stop."""
        now = self.now
        if not now.is_load_over or now.asked_stop is not None:
            return False
        must_wait = is_somebody_waited_for or self._may_come_back or self._is_script_quiet
        return not must_wait or self.is_waited_out

    @property
    def is_waited_out(self) -> bool:
        """Whether the load has been extended for as long as anybody is waited for."""
        now = self.now
        return now.load_at is not None and now.own_s(now.load_at + now.load.seconds) > LONGEST_EXTENSION_S

    @property
    def is_cut_short(self) -> bool:
        """Whether the runner was told to quit before its time by a signal that was not ours."""
        began, stop_at = self.now.load_at, self.now.stop_at
        if began is None or stop_at is None or self.now.asked_stop is not None:
            return False
        is_early = stop_at - began < self.now.load.seconds - DECLINE_S / 2
        return is_early and any(reading.stopped_by_signal for reading in self.now.sample.readings)

    @property
    def exit_code(self) -> int | None:
        """The leader's; a program that has had its time and its grace counts as ended well, for it knows no stop."""
        now = self.now
        over_at = self._own_business_at
        if now.sample.exit_code is not None or over_at is None or now.is_loop_silent:
            return now.sample.exit_code
        return 0 if now.at - over_at > DECLINE_S else None

    @property
    def is_left_running(self) -> bool:
        """Whether it counts as ended well and has not ended."""
        return self.exit_code is not None and self.now.sample.exit_code is None

    @property
    def is_exit_asked(self) -> bool:
        """Whether its exit code is the one that Locust asks for by itself, for requests that failed."""
        code = self.now.sample.exit_code
        return code is not None and any(reading.exit_asked == code for reading in self.now.sample.readings)

    @property
    def is_load_ended(self) -> bool:
        """Whether a runner has stopped its users without quitting: the load has ended by itself."""
        return any(reading.load_ended_at for reading in self.now.sample.readings)

    @property
    def own_end_s(self) -> float:
        """The second of the load at which it ended by itself, before its time and our stop; 0 where it did not."""
        ends = [at for reading in self.now.sample.readings for at in (reading.stop_at, reading.load_ended_at) if at]
        return self._early(min(ends, default=0.0))

    @property
    def left_s(self) -> float:
        """The second of the load at which its last user had ended, though nobody stopped it; 0 where some stayed."""
        now = self.now
        return 0.0 if now.crowd.users or not now.crowd.has_users else self._early(now.crowd.fell_at)

    def _early(self, at: float) -> float:
        now = self.now
        if not at or now.load_at is None or (now.asked_stop is not None and at >= now.asked_stop):
            return 0.0
        return at - now.load_at if at - now.load_at < now.load.seconds - DECLINE_S / 2 else 0.0

    @property
    def _own_business_at(self) -> float | None:
        """Since when what a program does is not of the load any more; None while it is, or where it is no program."""
        now = self.now
        if now.is_script:
            return now.asked_stop
        quit_at = max((reading.quit_done_at for reading in now.sample.readings), default=0.0)
        if not now.is_program or not quit_at or now.crowd.users or now.load_s < now.load.seconds:
            return None
        return max(quit_at, now.crowd.fell_at)

    @property
    def is_on_its_own(self) -> bool:
        """Whether it is a program whose runner has quit, and so is free to do what it likes."""
        quit_done = any(reading.quit_done_at for reading in self.now.sample.readings)
        return self.now.is_program and quit_done and not self.now.crowd.users

    @property
    def is_grace_over(self) -> bool:
        """Whether users, or the process once they are gone, have had the time to end that they may need."""
        if self.now.phase is not Phase.STOPPING or self.is_on_its_own:
            return False
        grace = next(grace for grace in GRACE_TABLE if grace.applies(self))
        return self.now.own_cell_s(grace.since(self)) > grace.longest_s(self)

    # What the rows ask

    @property
    def has_users(self) -> bool:
        """Whether there are users left."""
        return bool(self.now.crowd.users)

    @property
    def has_reached_all(self) -> bool:
        """Whether every user was told, and the loops turned often enough since one ended to end the next."""
        none_goes = self.now.own_cell_s(self.now.crowd.fell_at) > DECLINE_S and self.now.has_settled
        return none_goes and self.now.is_told

    @property
    def told_at(self) -> float:
        """When the stop began."""
        return self.now.stop_at if self.now.stop_at is not None else self.now.at

    @property
    def left_alone_at(self) -> float:
        """When only the process was left to end: the last user has ended, and the stop has begun."""
        return max(self.told_at, self.now.crowd.fell_at)

    @property
    def grace_s(self) -> float:
        """Seconds that an end may take."""
        return self.now.limits.stop_grace_s

    @property
    def crowd_s(self) -> float:
        """Seconds that a crowd's end takes at the most: of its users, and of what they leave behind."""
        return self.now.stop_order.users / STOPPED_A_SECOND

    @property
    def starved_s(self) -> float:
        """Seconds within which GreenletExit is raised in every user, on a busy machine too."""
        return self.now.limits.start_s + self.crowd_s

    # Why the load goes on past its time

    @property
    def _may_come_back(self) -> bool:
        """Whether a core burns and no operation ended lately: a loop that spins, or one that will come back."""
        quiet_since = self.now.progress.at
        return self.now.at - quiet_since > DECLINE_S and self.now.cores(quiet_since) >= BURNING_CORES

    @property
    def _is_script_quiet(self) -> bool:
        """Whether a script has done nothing for the second half of its time: it may have ended its work, or hang."""
        if not self.now.is_script or self.now.load_at is None:
            return False
        return self.now.progress.at < self.now.load_at + self.now.load.seconds / 2


@dataclass(frozen=True)
class Grace:
    """One row: which ends it is for, since when its time runs, and how long that is."""

    applies: Callable[[Stop], bool]
    since: Callable[[Stop], float]
    longest_s: Callable[[Stop], float]


GRACE_TABLE = (
    # All users have ended: the process has a time of its own, and more of it while it works.
    Grace(
        lambda s: not s.has_users and s.now.is_at_work,
        lambda s: s.left_alone_at,
        lambda s: GRACES * s.grace_s + s.crowd_s,
    ),
    Grace(lambda s: not s.has_users, lambda s: s.left_alone_at, lambda s: s.grace_s),
    # Users end one by one, so as long as one of them just did, the others have not outlived the stop. Here none did.
    Grace(lambda s: s.has_reached_all, lambda s: s.told_at, lambda s: s.grace_s),
    # The stop may still be on its way: on a busy machine it takes seconds until GreenletExit is raised in each user.
    Grace(lambda s: s.now.is_at_work, lambda s: s.told_at, lambda s: max(GRACES * s.grace_s, s.starved_s)),
    # The process is idle, so no GreenletExit is on its way.
    Grace(lambda _: True, lambda s: s.told_at, lambda s: GRACES * s.grace_s),
)
"""The first row that applies decides: the process alone, then users that were told, then those that may not be yet."""
