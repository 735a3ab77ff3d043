"""The only module that starts other processes; it also finds and ends everything that they started.

Why every process that is started here
  * gets its own session: a Ctrl-C for this program must not reach a cell before its evidence is kept;
  * has no standard input: a cell that reads it would wait for the user;
  * writes to files and not to pipes: a full pipe stops a chatty cell, and a grandchild that holds a pipe's end makes
    its reader wait although the process itself is long gone;
  * carries ``REPRO_MARK`` in its environment: a grandchild that calls ``setsid`` leaves session and group, not this;
  * leaves its orphans to this program (``orphans.py``): one that empties its environment, too, is found and ended.

Marks are paths, ``<program>/<run>/<trial>``: ending a mark ends all below it. The warden (``warden.py``) ends the
program's own mark when this program dies without having tidied up.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from repro.errors import ProcessError, SlowProcessError
from repro.world.processes import marks, orphans

END_LIMIT_S = 5.0
"""Seconds within which killed processes must be gone before that is a loud error."""

POLL_S = 0.02

_PROGRAM = f"repro-{os.getpid()}-{secrets.token_hex(4)}"
_TRIAL = "trial-"
"""How the marks of cells begin: of all that is started here, they alone run programs that may leave anything behind."""
_live: set[Child] = set()
_live_lock = threading.Lock()


@dataclass(frozen=True)
class Output:
    """The files that receive a process's standard output and standard error."""

    stdout: Path
    stderr: Path


@dataclass(frozen=True)
class Completed:
    """The result of a short command: its exit code (negative for a signal) and its output, decoded leniently."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class User:
    """The user and group ids that a command runs with, without further groups."""

    uid: int
    gid: int


class Child:
    """A process that this program started, together with all its descendants."""

    def __init__(self, popen: subprocess.Popen[bytes], *, mark: str, places: Sequence[Path] = ()) -> None:
        self._popen = popen
        self._mark = mark
        self._places = places
        self._born = time.time()

    @property
    def pid(self) -> int:
        """The leader's process id, which is also its session id."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """The leader's exit code, negative for a signal; None while it is running."""
        return self._popen.returncode

    def poll(self) -> int | None:
        """The leader's exit code as of now; also reaps orphans that have ended."""
        orphans.adopted()
        return self._popen.poll()

    def wait(self, limit_s: float) -> int:
        """Wait for the leader, and return its exit code.

        Raises:
            ProcessError: it still lives after ``limit_s`` seconds.
        """
        try:
            return self._popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"process {self.pid} is still running after {limit_s:g} s") from None

    def tree(self) -> tuple[int, ...]:
        """The ids of all running processes of the tree, the leader first; includes those that left the session."""
        return tuple(sorted((process.pid for process in self._family()), key=lambda pid: (pid != self.pid, pid)))

    def signal(self, signum: int) -> None:
        """Send a signal to the leader; does nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(signum)

    def signal_one(self, pid: int, signum: int) -> None:
        """Send a signal to one process of the tree; does nothing if it has ended or is outside the tree."""
        if pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)

    def end(self, grace_s: float = 0.0) -> None:
        """End the whole tree: with a grace (seconds) SIGTERM first and a wait, then SIGKILL.

        Raises:
            ProcessError: something of it survives a SIGKILL for ``END_LIMIT_S``.
        """
        if grace_s > 0:
            _send(self._family(), signal.SIGTERM)
            _wait_until(lambda: not self._family(), limit_s=grace_s)
        try:
            _kill(self._family)
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(END_LIMIT_S)
            with _live_lock:
                _live.discard(self)
            if self._popen.returncode is not None:
                orphans.forget_own(self.pid)

    def _family(self) -> list[psutil.Process]:
        self._popen.poll()
        found = {process.pid: process for process in marks.marked(self._mark)}
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(self.pid)
            if self._popen.returncode is None:
                found |= {process.pid: process for process in (leader, *leader.children(recursive=True))}
        found |= {process.pid: process for process in orphans.with_offspring(self._orphans())}
        return [process for process in found.values() if marks.is_running(process)]

    def _orphans(self) -> list[psutil.Process]:
        """The adopted ones of this child: those that show it, and with no other cell beside it all born since."""
        found = [
            process for process in orphans.adopted() if not marks.mark_of(process) and self._is_older_than(process)
        ]
        if not self._has_rivals():
            return found
        return [process for process in found if orphans.is_inside(process, self._places)]

    def _is_older_than(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return bool(process.create_time() >= self._born - 1.0)  # the kernel counts in ticks from its own start
        return False

    def _has_rivals(self) -> bool:
        """Whether another cell runs that may have left an orphan; what stands before this one has the same mark."""
        with _live_lock:
            others = [child._mark for child in _live if child is not self]  # noqa: SLF001  # of this class
        return any(mark.startswith(f"{_PROGRAM}/{_TRIAL}") and not mark.startswith(self._mark) for mark in others)


def start(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: Output,
    mark: str,
    stdin: int | None = None,
) -> Child:
    """Start a process in its own session, with exactly ``env`` and its mark; its output goes to files.

    ``mark`` is a path below the program's own, ``run-1/trial-7``. ``stdin`` is a descriptor to read from; nothing
    when left out.

    Raises:
        ProcessError: the program cannot be executed or a file cannot be written.
    """
    try:
        with output.stdout.open("ab") as stdout, output.stderr.open("ab") as stderr:
            places = (cwd.resolve(), output.stdout.resolve(), output.stderr.resolve())
            return _launch(argv, env=env, cwd=cwd, streams=(stdin, stdout, stderr), mark=mark, places=places)
    except OSError as error:
        raise _unstartable(argv, error) from error


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit_s: float,
    mark: str = "helper",
    user: User | None = None,
) -> Completed:
    """Run a short command and return its result; ``env`` is by default this program's own, which an installer needs.

    With ``user`` it runs with that user's rights, which takes root.

    Raises:
        ProcessError: it cannot be started.
        SlowProcessError: it takes longer than ``limit_s`` seconds; its tree is ended first.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        whole_env = os.environ if env is None else env
        try:
            child = _launch(
                argv,
                env=whole_env,
                cwd=cwd,
                streams=(None, stdout, stderr),
                mark=f"{mark}-{secrets.token_hex(4)}",
                user=user,
            )
        except OSError as error:
            raise _unstartable(argv, error) from error
        try:
            returncode = child.wait(limit_s)
        except ProcessError:
            raise SlowProcessError(
                f"{' '.join(map(str, argv[:3]))} … took longer than {limit_s:g} s and was ended"
            ) from None
        finally:
            child.end()
        return Completed(returncode, _read(stdout), _read(stderr))


class Companion:
    """The user's command, run unchanged, with this program's streams, folder, environment and terminal.

    ``more`` are variables beside its environment. It stays in this program's session, so that a Ctrl-C at the terminal
    reaches it as it would by hand.

    Raises:
        ProcessError: it cannot be started.
    """

    def __init__(
        self, argv: Sequence[str], *, stdout: int | None = None, more: Mapping[str, str] | None = None
    ) -> None:
        orphans.adopt()
        try:
            with orphans.starting:
                self._popen = subprocess.Popen(list(argv), stdout=stdout, env={**os.environ, **(more or {})})
                orphans.note_own(self._popen.pid)
        except OSError as error:
            raise _unstartable(argv, error) from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def wait(self, limit_s: float) -> int | None:
        """Its exit code, negative for a signal; None if it is still running after this many seconds."""
        try:
            return self._popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None

    def tree(self) -> list[psutil.Process]:
        """The ids of all its running processes, its own first."""
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(self.pid)
            return [leader, *leader.children(recursive=True)]
        return []

    def end(self, grace_s: float) -> None:
        """End the whole tree: SIGTERM, a wait, then SIGKILL."""
        everybody = self.tree()
        _send(everybody, signal.SIGTERM)
        _wait_until(lambda: self._popen.poll() is not None, limit_s=grace_s)
        _send([one for one in everybody if marks.is_running(one)], signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(END_LIMIT_S)


def end_marked(mark: str) -> int:
    """End every process below ``mark``, and return how many there were.

    Raises:
        ProcessError: one survives.
    """
    whole_mark = f"{_PROGRAM}/{mark}"
    found = marks.marked(whole_mark)
    _kill(lambda: marks.marked(whole_mark))
    return len(found)


def end_all() -> None:
    """End everything that this program started and that is still running. Called at exit, so it raises nothing."""
    with _live_lock:
        children = list(_live)
    for child in children:
        with contextlib.suppress(ProcessError):
            child.end()
    with contextlib.suppress(ProcessError):
        _kill(_strays)


def _strays() -> list[psutil.Process]:
    """The orphans of cells that have been ended, whosever they were."""
    return [process for process in orphans.with_offspring(orphans.adopted()) if marks.is_running(process)]


@contextlib.contextmanager
def warded(*folders: Path) -> Iterator[None]:
    """Start a warden: if this program dies, even by ``kill -9``, it ends all its processes and deletes ``folders``.

    The warden is a process in its own session that reads a pipe which only this program holds open: its end of
    file is the news, whatever the reason.
    """
    receiver, sender = os.pipe()
    script = Path(__file__).with_name("warden.py")
    with orphans.starting:
        warden = subprocess.Popen(
            [sys.executable, "-P", str(script), _PROGRAM, *map(str, folders)],
            stdin=receiver,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        orphans.note_own(warden.pid)
    os.close(receiver)
    try:
        yield
    finally:
        os.close(sender)
        with contextlib.suppress(subprocess.TimeoutExpired):
            warden.wait(END_LIMIT_S * 2)


def _launch(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    streams: tuple[int | None, IO[bytes], IO[bytes]],
    mark: str,
    places: Sequence[Path] = (),
    user: User | None = None,
) -> Child:
    whole_mark = f"{_PROGRAM}/{mark}"
    stdin, stdout, stderr = streams
    orphans.adopt()
    with orphans.starting:
        popen = subprocess.Popen(
            [str(part) for part in argv],
            env={**env, marks.VARIABLE: whole_mark},
            cwd=cwd,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=() if user else None,
        )
        orphans.note_own(popen.pid)
    child = Child(popen, mark=whole_mark, places=places)
    with _live_lock:
        _live.add(child)
    return child


def _unstartable(argv: Sequence[str | Path], error: OSError) -> ProcessError:
    return ProcessError(f"cannot start {argv[0]}: {error.strerror or error}; check that it exists and can run")


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _kill(family: marks.Finder) -> None:
    """SIGKILL until nothing is found any more: a process may fork while its parent is being killed."""
    deadline = time.monotonic() + END_LIMIT_S
    while found := family():
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in found)
            raise ProcessError(
                f"processes {pids} are still running after SIGKILL; look at them with `ps -o pid,stat,wchan -p {pids}`"
            )
        _send(found, signal.SIGKILL)
        time.sleep(POLL_S)


def _send(processes: Iterable[psutil.Process], signum: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signum)


def _wait_until(condition: Callable[[], bool], *, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_S)
