"""A program without users that does nothing any more: since when, and in what two looks found it standing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from repro.core.judge.now import Now
from repro.core.judge.samples import Standing
from repro.findings import Phase

LOOKS_S = 3.0
"""So long before the time to begin is over a program is looked at, twice."""
LONGEST_LOOK_S = 30.0
"""Seconds within which two looks at an idle program must agree; after them it is not known in what it stands."""


@dataclass(frozen=True)
class Silence:
    """That of one sample."""

    now: Now

    @cached_property
    def since(self) -> float | None:
        """Since when the program should have done something: begun its users, or, a script, ended an operation.

        None when it has. A script is looked at once its time is over and it has done nothing for the second half of it,
        and for a stall's time.
        """
        now = self.now
        if now.sample.exit_code is not None or now.asked_stop is not None:
            return None
        if now.load_at is None:
            looks_from = now.began + now.limits.start_s - LOOKS_S
            return looks_from if now.at > looks_from else None
        if not now.is_script or now.crowd.users or now.load_s < now.load.seconds:
            return None
        is_quiet = now.own_s(now.progress.at) > self._quiet_from_s
        return now.progress.at if is_quiet else None

    @cached_property
    def standing(self) -> Standing | None:
        """In what such a program was found, by two looks; None while there is none, or the looks do not agree yet."""
        if self.since is None:
            return None
        if self._is_agent_silent:
            return Standing.LOCKED  # not even the agent's own thread runs: the GIL is held
        if self.now.load_at is None and not self._has_had_its_start:
            return None
        found = self.now.looks.standing_since(self.since)
        waited_s = self.now.own_s(self.since) - self._quiet_from_s
        return Standing.UNKNOWN if found is None and waited_s > LONGEST_LOOK_S else found

    @property
    def is_start_over(self) -> bool:
        """Whether the time to begin is over, and it is known in what the program stands."""
        return self.now.phase is Phase.START and self._has_had_its_start and self.standing is not None

    @property
    def _has_had_its_start(self) -> bool:
        return self.now.own_cell_s(self.now.began) > self.now.limits.start_s

    @property
    def _quiet_from_s(self) -> float:
        """Seconds for which a script may do nothing before it is looked at."""
        return max(self.now.load.seconds / 2, self.now.limits.stall_after_s)

    @property
    def _is_agent_silent(self) -> bool:
        natives = [reading.native_at for reading in self.now.sample.living if reading.native_at]
        return bool(natives) and all(self._has_stood(native_at) for native_at in natives)

    def _has_stood(self, since: float) -> bool:
        return self.now.own_cell_s(since) > self.now.limits.silent_s
