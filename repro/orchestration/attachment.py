"""Looks at a process that something else started: twice from outside, or once in a core dump."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import psutil

from repro.core.causes.known_causes import Sighting, match
from repro.core.causes.prognosis import Possible, possible_causes
from repro.core.diagnosis.diagnosis import Diagnosis, Look, diagnose, diagnose_still
from repro.core.hang.dump import Dump, document
from repro.errors import UsageError
from repro.findings import CauseMatch
from repro.world.collecting import kernel
from repro.world.collecting.sockets import Socket, sockets_of
from repro.world.memory.reader import ProcessReader, reading_of, reading_of_core
from repro.world.memory.source.core_file import read_core
from repro.world.memory.source.pages import ForbiddenError
from repro.world.memory.source.target import how_to_be_let, target_of
from repro.world.processes.pause import paused
from repro.world.shipped.causes import known_causes

GLANCES = 20
"""How often between two looks it is seen whether a loop turns."""
UNREAD_LOOKS = 4
UNREAD_EVERY_S = 0.02


@dataclass(frozen=True)
class Attached:
    """What was found about a process: its command, its packages, the diagnosis, and a known cause that fits.

    ``refusal`` says why its memory could not be read, and what to do; "" when it was. ``read_s`` is how long one
    reading took. ``prospects`` are the known causes of such a hang that its packages allow, the one that was seen left
    out, with what makes each likely. ``pauses_s`` are the lengths of the pauses that were asked for. ``core`` is the
    core file, "" of a process that runs.
    """

    pid: int
    command: str
    python: str
    packages: Mapping[str, str]
    diagnosis: Diagnosis
    looks: tuple[Look, ...]
    cause: CauseMatch | None
    refusal: str
    pauses_s: tuple[float, ...] = ()
    core: str = ""
    prospects: tuple[Possible, ...] = ()


class Subject:
    """A process to look at; the preparation is done once, so that each look is short.

    ``refusal`` says why its memory cannot be read, and what to do; "" when it can. With ``is_paused`` it stands still
    during each look.

    Raises:
        UsageError: there is no such process, or it does not run a CPython that can be read.
    """

    def __init__(self, pid: int, *, is_paused: bool = False) -> None:
        self.pid = pid
        self._is_paused = is_paused
        self._pauses_s: list[float] = []
        self._turned: frozenset[int] = frozenset()
        self.refusal = ""
        self._reader: ProcessReader | None = None
        target = target_of(pid)
        try:
            self._reader = reading_of(target)
        except ForbiddenError as error:
            self.refusal = f"{error}; {how_to_be_let()}"

    def close(self) -> None:
        """Release it."""
        if self._reader is not None:
            self._reader.close()

    def glance(self) -> None:
        """See which threads stand in their event loop at this moment; the next look knows that those loops turn.

        One greenlet may have every turn, because it takes the lock again that it has just let go. None of the others
        moves then, and every look may meet that one, though its loop turns thousands of times a second.

        Raises:
            UsageError: it has ended.
        """
        if self._reader is not None:
            with self._alive():
                self._turned |= self._reader.turning() if not _is_stopped(self.pid) else frozenset()

    def look(self) -> Look:
        """Look once.

        Raises:
            UsageError: it has ended.
        """
        turned, self._turned = self._turned, frozenset()
        with self._alive():
            return replace(self._look(), turned=turned)

    @contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            raise UsageError(f"process {self.pid} has ended; `ps -ef` shows those that run") from None

    def _look(self) -> Look:
        if not self._is_paused:
            return _look(self.pid, self._reader)
        before = _is_stopped(self.pid), kernel.threads_of(self.pid)  # while it is paused, all of it is stopped
        with paused(self.pid) as pause:
            found = _look(self.pid, self._reader)
        self._pauses_s.append(pause.seconds)
        return replace(found, is_stopped=before[0], threads=before[1])

    def command(self) -> str:
        """The command of the process."""
        return _command(self.pid)

    def packages(self) -> Mapping[str, str]:
        """The process's distributions, as far as they are known."""
        return _packages(self._reader)

    def compare(self, first: Look, last: Look) -> Attached:
        """Compare two looks."""
        found = diagnose(first, last)
        packages = _packages(self._reader)
        cause = _cause(found, packages)
        return Attached(
            pid=self.pid,
            command=_command(self.pid),
            python=last.dump.python if last.dump else "",
            packages=packages,
            diagnosis=found,
            looks=(first, last),
            cause=cause,
            refusal=self.refusal,
            pauses_s=tuple(self._pauses_s),
            prospects=_prospects(
                found, packages, _words(self.pid), cause, python=last.dump.python if last.dump else ""
            ),
        )


def attach(
    pid: int, *, seconds: float, is_paused: bool = False, on_look: Callable[[str], None] = lambda _: None
) -> Attached:
    """Look twice, ``seconds`` apart.

    Raises:
        UsageError: there is no such process, it does not run CPython, or it ended meanwhile.
    """
    subject = Subject(pid, is_paused=is_paused)
    try:
        first = subject.look()
        on_look(f"looked at process {pid} once; looking again in {seconds:g} s")
        for _ in range(GLANCES):
            time.sleep(seconds / (GLANCES + 1))
            subject.glance()
        time.sleep(seconds / (GLANCES + 1))
        return subject.compare(first, subject.look())
    finally:
        subject.close()


def attach_core(path: Path, *, python: Path | None = None) -> Attached:
    """Read a core dump; ``python`` is the interpreter that made it, if it has moved.

    Raises:
        UsageError: it is not a core file of a CPython that can be read here.
        ProcessError: it is cut off, or files of its process are gone.
    """
    core = read_core(path)
    reader = reading_of_core(core, python)
    try:
        look = Look(at=0.0, dump=reader.dump(), threads=core.threads)
        packages = _packages(reader)
    finally:
        reader.close()
    found = diagnose_still(look)
    cause = _cause(found, packages)
    return Attached(
        pid=core.pid,
        command=core.command,
        python=look.dump.python if look.dump else "",
        packages=packages,
        diagnosis=found,
        looks=(look,),
        cause=cause,
        refusal="",
        core=str(path),
        prospects=_prospects(
            found, packages, core.command.split(), cause, python=look.dump.python if look.dump else ""
        ),
    )


def keep(attached: Attached, folder: Path) -> None:
    """Write the evidence: the looks' stacks, the packages; of a process that runs the kernel's view of it."""
    dumps = {str(number): look.dump for number, look in enumerate(attached.looks, 1) if look.dump is not None}
    keep_stacks(None if attached.core else attached.pid, dumps, attached.packages, folder)


def keep_stacks(pid: int | None, dumps: Mapping[str, Dump], packages: Mapping[str, str], folder: Path) -> None:
    """Write the stacks, by a name for each look, its packages, and where it runs the kernel's view of it now."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, dump in dumps.items():
        (folder / f"greenlets-{name}.json").write_text(json.dumps(document(dump), indent=1), "utf-8")
    (folder / "packages.txt").write_text(
        "".join(f"{name}=={version}\n" for name, version in sorted(packages.items())), "utf-8"
    )
    if pid is None:
        return
    with contextlib.suppress(OSError):  # it may have ended just now
        (folder / "kernel.json").write_text(json.dumps(kernel.look(pid), indent=1), "utf-8")


def _look(pid: int, reader: ProcessReader | None) -> Look:
    process = psutil.Process(pid)
    times = process.cpu_times()
    sockets = sockets_of(pid)
    dump = reader.dump() if reader is not None else None
    return Look(
        at=time.monotonic(),
        dump=dump.with_peers({one.fd: (one.local, one.peer) for one in sockets}) if dump is not None else None,
        threads=kernel.threads_of(pid),
        cpu_s=times.user + times.system,
        unread=_still_unread(pid, sockets, dump),
        is_stopped=_is_stopped(pid),
    )


def _still_unread(pid: int, sockets: Sequence[Socket], dump: Dump | None) -> Mapping[int, int]:
    """By descriptor what lies unread, where somebody waits to read it and it lies there for longer than a moment."""
    waits = {one.wait.fd for one in dump.greenlets if one.wait is not None} if dump is not None else set()
    found = {socket.fd: socket.unread for socket in sockets if socket.unread and socket.fd in waits}
    for _ in range(UNREAD_LOOKS):
        if not found:
            break
        time.sleep(UNREAD_EVERY_S)
        now = {socket.fd: socket.unread for socket in sockets_of(pid)}
        found = {fd: count for fd, count in found.items() if now.get(fd) == count}
    return found


def _is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}


def _command(pid: int) -> str:
    return " ".join(_words(pid))


def _words(pid: int) -> Sequence[str]:
    """The words of its command; none where it has ended."""
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return ()


def _packages(reader: ProcessReader | None) -> Mapping[str, str]:
    """The distributions in the folder from which the process has greenlet, by their metadata."""
    if reader is None or not reader.packages:
        return {}
    read = (_name_and_version(one) for one in metadata.distributions(path=[reader.packages]))
    return {name.lower(): version for name, version in read if name and version}


def _name_and_version(distribution: metadata.Distribution) -> tuple[str, str]:
    """Empty where they are missing: somebody may be installing there at this moment.

    The metadata is read once, for a second reading finds another file. What is missing is None, or raises where the
    library ``importlib_metadata`` was imported, which then does the reading.
    """
    try:
        read = distribution.metadata
        return read["Name"] or "", read["Version"] or ""
    except (KeyError, OSError):
        return "", ""


def _cause(found: Diagnosis, packages: Mapping[str, str]) -> CauseMatch | None:
    if found.hang_class is None:
        return None
    stacks = [found.thread.stack] if found.thread is not None else [one.stack for one in found.stuck]
    frames = {frame.normalised for stack in stacks for frame in stack}
    unwoken = {one.stack[-1].normalised for one in found.stuck if one.stack and one.wait is None}
    return match(
        known_causes(), Sighting(kind=found.hang_class.value, versions=packages, frames=frames, unwoken=unwoken)
    )


def _prospects(
    found: Diagnosis, packages: Mapping[str, str], words: Sequence[str], seen: CauseMatch | None, *, python: str
) -> tuple[Possible, ...]:
    """The other known causes of a hang of this class that its packages allow; none where there is no hang."""
    if found.hang_class is None:
        return ()
    causes = [
        one for one in known_causes() if found.hang_class.value in one.classes and not (seen and seen.id == one.id)
    ]
    return possible_causes(causes, packages, words, python=python)
