"""Somebody's own command, run once as it is and looked at from outside for as long as it takes; tells when it hangs.

    start ─▶ look at every Python process of it ─▶ wait ─▶ look again ─▶ … ─▶ it ends, or hangs, or the time is over

Nothing is kept from look to look but the last one of each process: memory stays flat over days.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from repro.core.hang.diagnosis import Finding, Look
from repro.errors import ReproError
from repro.model import Verdict
from repro.orchestration.attachment import Attached, Subject
from repro.world.processes.door import Companion

MOST_PROCESSES = 16
"""So many processes are looked at: of a program that forks without end, the oldest."""
END_GRACE_S = 10.0
HEARD_S = 1.0
POLL_S = 0.25


class OnHang(StrEnum):
    """What is done with a command that hangs."""

    KEEP = "keep"
    STOP = "stop"
    RESTART = "restart"


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """``after_s`` is between two looks: a hang is told once it has lasted that long. ``limit_s`` ends the watch."""

    command: tuple[str, ...]
    after_s: float
    limit_s: float = float("inf")
    on_hang: OnHang = OnHang.KEEP
    stdout: int | None = None


@dataclass(frozen=True)
class Watched:
    """What came of it: the last hang, None without; the exit code, None where it was still running; the looks made.

    ``compared`` is how often a process was seen twice: without it nobody has looked for a hang.
    """

    hang: Attached | None
    exit_code: int | None
    looks: int
    compared: int
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """``clean`` takes an end of its own without an error, or two looks at least."""
        if self.hang is not None:
            return Verdict.HANG
        if self.exit_code is None:
            return Verdict.CLEAN if self.compared else Verdict.INCONCLUSIVE
        return Verdict.CLEAN if self.exit_code == 0 else Verdict.CRASH


@dataclass
class _Seen:
    """A process that is watched: made ready to be looked at, the last look, and the hangs of it that were told."""

    subject: Subject
    look: Look | None = None
    told: set[Finding] = field(default_factory=set)


class Watch:
    """One watch. ``on_hang`` is called for every hang that is new."""

    def __init__(self, options: WatchOptions, on_hang: Callable[[Attached], None]) -> None:
        self._options = options
        self._on_hang = on_hang
        self._seen: dict[int, _Seen] = {}
        self._hang: Attached | None = None
        self._count = 0
        self._compared = 0
        self.companion: Companion | None = None

    def run(self) -> Watched:
        """Start the command and watch it.

        Raises:
            ProcessError: it cannot be started.
        """
        began = time.monotonic()
        deadline = began + self._options.limit_s
        self._start()
        code: int | None = None
        try:
            while time.monotonic() < deadline:
                code = self._wait(min(time.monotonic() + self._options.after_s, deadline))
                if code is not None:
                    break
                hang = self._look()
                if hang is not None and self._options.on_hang is OnHang.STOP:
                    self._end()
                    break
                if hang is not None and self._options.on_hang is OnHang.RESTART:
                    self._end()
                    self._start()
            else:
                self._end()  # its time is over
        except KeyboardInterrupt:
            self._leave()
            raise
        finally:
            self._forget()
        return Watched(self._hang, code, self._count, self._compared, time.monotonic() - began)

    def _start(self) -> None:
        self._forget()
        self.companion = Companion(self._options.command, stdout=self._options.stdout)

    def _end(self) -> None:
        if self.companion is not None:
            self.companion.end(END_GRACE_S)

    def _leave(self) -> None:
        """Let the command end by the Ctrl-C that the terminal sent it too; one that was sent to us alone ends it."""
        if self.companion is not None and self.companion.wait(HEARD_S) is None:
            self._end()

    def _wait(self, until: float) -> int | None:
        """Wait for the next look; the command's exit code when it ends before."""
        while self.companion is not None and (left := until - time.monotonic()) > 0:
            code = self.companion.wait(min(left, POLL_S))
            if code is not None:
                return code
        return None

    def _look(self) -> Attached | None:
        """Look at every process once; the first hang that is new."""
        self._count += 1
        pids = [process.pid for process in self.companion.tree()[:MOST_PROCESSES]] if self.companion else []
        for gone in set(self._seen) - set(pids):
            self._drop(gone)
        found = [hang for pid in pids if (hang := self._look_at(pid)) is not None]
        for hang in found:
            self._hang = hang
            self._on_hang(hang)
        return found[0] if found else None

    def _look_at(self, pid: int) -> Attached | None:
        """The hang of one process that is new, None without."""
        try:
            if pid not in self._seen:
                self._seen[pid] = _Seen(Subject(pid))
            seen = self._seen[pid]
            look = seen.subject.look()
        except ReproError:  # it is not Python, not yet, or no longer; it is tried again with the next look
            self._drop(pid)
            return None
        before, seen.look = seen.look, look
        if before is None:
            return None
        self._compared += 1
        compared = seen.subject.compare(before, look)
        finding = compared.diagnosis.finding
        if compared.diagnosis.verdict is not Verdict.HANG or finding in seen.told:
            return None
        seen.told.add(finding)
        return compared

    def _drop(self, pid: int) -> None:
        seen = self._seen.pop(pid, None)
        if seen is not None:
            with contextlib.suppress(OSError):
                seen.subject.close()

    def _forget(self) -> None:
        for pid in list(self._seen):
            self._drop(pid)


def watch(options: WatchOptions, on_hang: Callable[[Attached], None]) -> Watched:
    """Watch a command to its end, or for as long as the options say."""
    return Watch(options, on_hang).run()
