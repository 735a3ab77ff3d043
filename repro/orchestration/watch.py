"""Runs a command once, unchanged, watches it for as long as it takes, and reports when it hangs.

    start ─▶ wait, the agent's records judged meanwhile ─▶ look at every Python process from outside ─▶ wait ─▶ …
                                                      └─▶ it ends, or hangs, or the time is over

The agent rides along by variables (``riding.py``): it sees operations, users and a stop. Looks from outside see the
processes in which it is not, too. Nothing is kept from look to look but the last one of each process, and what a
process has written goes with it: memory and disk stay flat over days.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from repro.core.diagnosis.diagnosis import Finding, Look
from repro.errors import ReproError
from repro.model import HangClass, Limits, Verdict
from repro.orchestration.attachment import GLANCES, Attached, Subject, keep, keep_stacks
from repro.orchestration.riding import Judged, Overdue, Riders
from repro.world.collecting import riding
from repro.world.processes.door import Companion

MOST_PROCESSES = 16
"""So many processes are looked at: of a program that forks without end, the oldest."""
END_GRACE_S = 10.0
HEARD_S = 1.0
POLL_S = 0.25
SPUN_S = 2.0
"""Within so many seconds with a processor a loop that is not stuck turns many times: it beats five times a second."""
OF_LOOPS = frozenset({HangClass.FROZEN, HangClass.SPINNING})


Hung = Attached | Judged
"""A hang that was found from outside, or by the judge."""


class OnHang(StrEnum):
    """What to do with a command that hangs."""

    KEEP = "keep"
    STOP = "stop"
    RESTART = "restart"


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """The options of a watch: ``after_s`` is the time between two looks, ``limit_s`` ends the watch.

    ``stop_grace_s`` is what users may take to end once they are told to. ``joined`` is the folder into which processes
    write that were started with the agent's variables by somebody else; there is no command then.
    """

    command: tuple[str, ...] = ()
    joined: Path | None = None
    after_s: float
    stop_grace_s: float = 30.0
    limit_s: float = float("inf")
    on_hang: OnHang = OnHang.KEEP
    stdout: int | None = None


@dataclass(frozen=True)
class Watched:
    """The result: the last hang or None, the exit code or None if it was still running, and the number of looks.

    ``compared`` is how often a process was seen twice: without it nobody has looked for a hang. ``along`` is in how
    many processes the agent had something to see; ``notes`` say why it was not in others, where that is known.
    ``overdue`` and ``undecided`` are what nobody had explained when the time was over: users in calls that had not
    returned, and a process whose last two looks do not tell whether it goes on.
    """

    hang: Hung | None
    exit_code: int | None
    looks: int
    compared: int
    seconds: float
    along: int = 0
    notes: tuple[str, ...] = ()
    overdue: Overdue | None = None
    undecided: Attached | None = None

    @property
    def verdict(self) -> Verdict:
        """``clean`` takes an end of its own without an error, or two looks at least and nothing that is unexplained."""
        if self.hang is not None:
            return Verdict.HANG
        if self.exit_code is None:
            is_explained = self.compared and self.overdue is None and self.undecided is None
            return Verdict.CLEAN if is_explained else Verdict.INCONCLUSIVE
        return Verdict.CLEAN if self.exit_code == 0 else Verdict.CRASH


class _Strangers:
    """The processes that somebody else started with the agent's variables, in the place of a command: none is ended."""

    def __init__(self, riders: Riders) -> None:
        self._riders = riders

    def wait(self, limit_s: float) -> int | None:
        """Nothing is known of their end."""
        time.sleep(limit_s)
        return None

    def tree(self) -> list[psutil.Process]:
        """Those that live."""
        return [psutil.Process(pid) for pid in self._riders.pids if psutil.pid_exists(pid)]

    def end(self, grace_s: float) -> None:
        """They run on."""


@dataclass
class _Seen:
    """A process that is watched: made ready to be looked at, the last look, and the hangs of it that were told.

    ``found`` is what was seen once of a process that the judge sees too, who can tell more of it.
    """

    subject: Subject
    look: Look | None = None
    told: set[Finding] = field(default_factory=set)
    found: Finding | None = None
    judged: set[HangClass] = field(default_factory=set)
    undecided: Attached | None = None


class Watch:
    """One watch. ``on_hang`` is called for each new hang."""

    def __init__(self, options: WatchOptions, on_hang: Callable[[Hung], None]) -> None:
        self._options = options
        self._on_hang = on_hang
        self._seen: dict[int, _Seen] = {}
        self._hang: Hung | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="repro-watch-"))
        self._folder.chmod(0o755)
        self._records = riding.make_records(options.joined or self._folder)
        limits = Limits(stall_after_s=options.after_s, stop_grace_s=options.stop_grace_s)
        self._riders = Riders(self._records, limits, subject_of=self._subject)
        self._count = 0
        self._compared = 0
        self._glance_at = 0.0
        self.companion: Companion | _Strangers | None = None

    def run(self) -> Watched:
        """Start the command and watch it.

        Raises:
            ProcessError: it cannot be started.
        """
        began = time.monotonic()
        deadline = began + self._options.limit_s
        self._start()
        code: int | None = None
        overdue, undecided = None, None
        try:
            while time.monotonic() < deadline:
                code, hang = self._wait(min(time.monotonic() + self._options.after_s, deadline))
                if code is not None:
                    break
                hang = hang or self._look()
                if hang is not None and self._options.on_hang is OnHang.STOP:
                    self._end()
                    break
                if hang is not None and self._options.on_hang is OnHang.RESTART:
                    self._end()
                    self._start()
            else:  # its time is over
                overdue, undecided = self._riders.overdue(), self._undecided
                self._end()
        except KeyboardInterrupt:
            self._leave()
            raise
        finally:
            self._forget()
            notes = self._riders.notes()
            shutil.rmtree(self._folder, ignore_errors=True)
        seconds = time.monotonic() - began
        looks = (self._count, self._compared)
        return Watched(self._hang, code, *looks, seconds, self._riders.ever, notes, overdue, undecided)

    @property
    def _undecided(self) -> Attached | None:
        """The first process whose last two looks do not tell whether it goes on."""
        return next((seen.undecided for seen in self._seen.values() if seen.undecided is not None), None)

    def _start(self) -> None:
        self._forget()
        if self._options.joined is not None:
            self.companion = _Strangers(self._riders)
            return
        more = riding.variables(self._records, inherited=os.environ)
        self.companion = Companion(self._options.command, stdout=self._options.stdout, more=more)

    def _end(self) -> None:
        if self.companion is not None:
            self.companion.end(END_GRACE_S)

    def _leave(self) -> None:
        """Let the command end by the Ctrl-C that the terminal sent it too; one that was sent to us alone ends it."""
        if self.companion is not None and self.companion.wait(HEARD_S) is None:
            self._end()

    def _wait(self, until: float) -> tuple[int | None, Hung | None]:
        """Wait for the next look: the command's exit code when it ends before, the hang that the judge finds."""
        while self.companion is not None and (left := until - time.monotonic()) > 0:
            code = self.companion.wait(min(left, POLL_S))
            if code is not None:
                return code, None
            self._glance()
            found = self._riders.observe()
            for hang in found:
                if hang.pid in self._seen:
                    self._seen[hang.pid].judged.add(hang.hang_class)
            if found:
                return None, self._tell(found)
        return None, None

    def _glance(self) -> None:
        """See now and then whether the loops turn of those that the judge does not see."""
        if time.monotonic() < self._glance_at:
            return
        self._glance_at = time.monotonic() + self._options.after_s / GLANCES
        for pid, seen in self._seen.items():
            if not self._riders.sees_loop(pid):
                with contextlib.suppress(ReproError):  # it has ended: the next look drops it
                    seen.subject.glance()

    def _tell(self, found: Sequence[Hung]) -> Hung | None:
        for hang in found:
            self._hang = hang
            self._on_hang(hang)
        return found[0] if found else None

    def _subject(self, pid: int) -> Subject | None:
        """A process made ready to be looked at; None while it is not Python, or no longer."""
        try:
            if pid not in self._seen:
                self._seen[pid] = _Seen(Subject(pid))
        except ReproError:
            return None
        return self._seen[pid].subject

    def _look(self) -> Hung | None:
        """Look at every process once; the first hang that is new."""
        self._count += 1
        pids = [process.pid for process in self.companion.tree()] if self.companion else []
        for gone in set(self._seen) - set(pids):
            self._drop(gone)
        return self._tell([hang for pid in pids[:MOST_PROCESSES] if (hang := self._look_at(pid)) is not None])

    def _look_at(self, pid: int) -> Attached | None:
        """The hang of one process that is new, None without."""
        subject = self._subject(pid)
        try:
            look = subject.look() if subject is not None else None
        except ReproError:  # it is not Python, not yet, or no longer; it is tried again with the next look
            self._drop(pid)
            return None
        if subject is None or look is None:
            return None
        seen = self._seen[pid]
        before, seen.look = seen.look, look
        if before is None:
            return None
        self._compared += 1
        compared = subject.compare(before, look)
        if compared.diagnosis.finding is Finding.BURNS and self._is_silent(pid, before.at):
            seen.look = before  # on a busy machine it takes more than one look's time until it has had a processor
        seen.undecided = None if self._goes_on(compared, before.at) else compared
        return compared if self._is_new(seen, before.at, compared) else None

    def _goes_on(self, compared: Attached, since: float) -> bool:
        """Whether two looks show progress, or else the agent saw some: a turn of the loop, the end of a call."""
        pid, is_of_loop = compared.pid, compared.diagnosis.hang_class in OF_LOOPS
        is_refuted = (is_of_loop and self._riders.has_turned(pid, since)) or self._riders.has_ended_calls(pid, since)
        return compared.diagnosis.finding is Finding.GOES_ON or is_refuted

    def _is_new(self, seen: _Seen, since: float, compared: Attached) -> bool:
        """Whether this is a hang that nobody has told; where the judge sees the process, it has a look's time first."""
        finding, hang_class = compared.diagnosis.finding, compared.diagnosis.hang_class
        has_seen_loop = hang_class in OF_LOOPS and self._riders.sees_loop(compared.pid)
        if has_seen_loop and not self._is_certain(compared, since):
            return False
        is_late = has_seen_loop or compared.pid not in self._riders.pids or seen.found is finding
        seen.found = finding
        is_told = finding in seen.told or hang_class in seen.judged
        if hang_class is None or is_told or not is_late:
            return False
        seen.told.add(finding)
        self._riders.note_told(compared.pid, hang_class)
        return True

    def _is_certain(self, compared: Attached, since: float) -> bool:
        """Whether both the looks and the loop's beats say that it does not turn, though it had a processor.

        The judge counts only the time for which a process had one. On a busy machine a loop that spins is therefore
        certain to it much later than to somebody who also sees where it is.
        """
        return self._is_silent(compared.pid, since) and self._riders.own_silence_s(compared.pid) >= SPUN_S

    def _is_silent(self, pid: int, since: float) -> bool:
        """Whether the agent sees a loop there that has not turned since then."""
        return self._riders.sees_loop(pid) and not self._riders.has_turned(pid, since)

    def _drop(self, pid: int) -> None:
        seen = self._seen.pop(pid, None)
        if seen is not None:
            with contextlib.suppress(OSError):
                seen.subject.close()

    def _forget(self) -> None:
        for pid in list(self._seen):
            self._drop(pid)


def watch(options: WatchOptions, on_hang: Callable[[Hung], None]) -> Watched:
    """Watch a command until it ends, or for as long as the options say."""
    return Watch(options, on_hang).run()


def keep_hang(hang: Hung, folder: Path) -> None:
    """Write the evidence of a hang to a folder."""
    if isinstance(hang, Judged):
        keep_stacks(hang.pid, {dump.mode: dump for dump in hang.dumps}, hang.packages, folder)
    else:
        keep(hang, folder)
