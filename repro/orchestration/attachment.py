"""A process that was started by somebody else: looked at twice from outside, without stopping or changing it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

import psutil

from repro.core.hang.diagnosis import Diagnosis, Look, diagnose
from repro.core.hang.dump import Dump
from repro.core.hang.known_causes import Sighting, match
from repro.errors import UsageError
from repro.findings import CauseMatch
from repro.world.collecting import kernel
from repro.world.collecting.sockets import Socket, sockets_of
from repro.world.memory.pages import ForbiddenError
from repro.world.memory.reader import ProcessReader, reading_of
from repro.world.memory.target import ForeignProcess, how_to_be_let, target_of
from repro.world.shipped.causes import known_causes

FASTEST_LOOKS_S = 0.5


@dataclass(frozen=True)
class Attached:
    """What came of looking at a process: its command, its packages, the diagnosis, a known cause that fits.

    ``refusal`` says why its memory could not be read, and what to do; "" when it was. ``read_s`` is how long one reading took.
    """

    pid: int
    command: str
    python: str
    packages: Mapping[str, str]
    diagnosis: Diagnosis
    looks: tuple[Look, Look]
    cause: CauseMatch | None
    refusal: str
    read_s: float


def attach(pid: int, *, seconds: float, on_look: Callable[[str], None] = lambda _: None) -> Attached:
    """Look twice, ``seconds`` apart.

    Raises:
        UsageError: there is no such process, it runs no CPython, or it ended meanwhile.
    """
    target = target_of(pid)
    refusal, reading = "", None
    try:
        reading = reading_of(target)
    except ForbiddenError as error:
        refusal = f"{error}; {how_to_be_let()}"
    try:
        first = _look(target, reading)
        on_look(f"looked at process {pid} once; looking again in {seconds:g} s")
        time.sleep(seconds)
        last = _look(target, reading)
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        raise UsageError(f"process {pid} ended while it was looked at; `ps -ef` shows those that run") from None
    finally:
        if reading is not None:
            reading.close()
    found = diagnose(first, last)
    packages = _packages(reading)
    return Attached(
        pid=pid,
        command=_command(pid),
        python=last.dump.python if last.dump else "",
        packages=packages,
        diagnosis=found,
        looks=(first, last),
        cause=_cause(found, packages),
        refusal=refusal,
        read_s=reading.seconds if reading else 0.0,
    )


def keep(attached: Attached, folder: Path) -> None:
    """Write the evidence: both looks' stacks, the kernel's view of threads and sockets, the packages."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, look in enumerate(attached.looks, 1):
        if look.dump is not None:
            text = json.dumps(asdict(replace(look.dump, locks={})) | {"locks": _locks(look.dump)}, indent=1)
            (folder / f"greenlets-{number}.json").write_text(text, "utf-8")
    (folder / "packages.txt").write_text(
        "".join(f"{name}=={version}\n" for name, version in sorted(attached.packages.items())), "utf-8"
    )
    with contextlib.suppress(OSError):  # it may have ended just now
        (folder / "kernel.json").write_text(json.dumps(kernel.look(attached.pid), indent=1), "utf-8")


def _locks(dump: Dump) -> list[dict[str, object]]:
    return [asdict(lock) for lock in dump.locks.values()]


def _look(target: ForeignProcess, reading: ProcessReader | None) -> Look:
    process = psutil.Process(target.pid)
    times = process.cpu_times()
    sockets = sockets_of(target.pid)
    dump = reading.dump() if reading is not None else None
    return Look(
        at=time.monotonic(),
        dump=_with_peers(dump, {socket.fd: socket for socket in sockets}) if dump is not None else None,
        threads=kernel.threads_of(target.pid),
        cpu_s=times.user + times.system,
        unread={socket.fd: socket.unread for socket in sockets},
        is_stopped=process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP},
    )


def _with_peers(dump: Dump, sockets: Mapping[int, Socket]) -> Dump:
    """The dump with both ends of every socket that somebody waits for."""
    greenlets = tuple(
        replace(one, wait=replace(one.wait, local=socket.local, peer=socket.peer))
        if one.wait is not None and (socket := sockets.get(one.wait.fd)) is not None
        else one
        for one in dump.greenlets
    )
    return replace(dump, greenlets=greenlets)


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def _packages(reading: ProcessReader | None) -> Mapping[str, str]:
    """The distributions in the folder from which the process has greenlet, by their metadata."""
    if reading is None or not reading.packages:
        return {}
    found = metadata.distributions(path=[reading.packages])
    return {one.metadata["Name"].lower(): one.version for one in found if one.metadata["Name"]}


def _cause(found: Diagnosis, packages: Mapping[str, str]) -> CauseMatch | None:
    if found.hang_class is None:
        return None
    stacks = [found.thread.stack] if found.thread is not None else [one.stack for one in found.stuck]
    frames = {frame.normalised for stack in stacks for frame in stack}
    unwoken = {one.stack[-1].normalised for one in found.stuck if one.stack and one.wait is None}
    return match(
        known_causes(), Sighting(kind=found.hang_class.value, versions=packages, frames=frames, unwoken=unwoken)
    )
