"""The process that is to be read, from outside: whose it is, where its files lie, how its interpreter is run."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from repro.errors import ProcessError, UsageError
from repro.world.memory.source.pages import DELETED
from repro.world.processes import door

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
PYPY = "pypy"
_IDS = frozenset({"Uid", "Gid"})
"""Lines of ``/proc/PID/status`` with real, effective, saved and file-system ids (``man 5 proc``)."""


class Target(Protocol):
    """Whose memory is read."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def executable(self) -> str:
        """Its interpreter's file."""

    @property
    def inner_pid(self) -> int:
        """Its id as it knows it itself."""

    @property
    def name(self) -> str:
        """What an error calls it."""

    def command(self, *words: str) -> tuple[list[str], door.User | None]:
        """The command that runs its interpreter, and the user whose rights that takes from root."""

    def file_of(self, path: str) -> Path:
        """A file of it as this program finds it."""


@dataclass(frozen=True)
class ForeignProcess:
    """A process: its id, its user, its executable as it calls it, and whether it lives in a container of its own."""

    pid: int
    user: door.User
    executable: str
    is_contained: bool

    @property
    def inner_pid(self) -> int:
        """The process's id as it knows it itself: in a container that is another one."""
        for line in Path(f"/proc/{self.pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
        return self.pid

    @property
    def root(self) -> Path:
        """The root of its files, as this program sees them."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def name(self) -> str:
        """What an error calls it."""
        return f"process {self.pid}"

    def file_of(self, path: str) -> Path:
        """A file of it as this program finds it."""
        return self.root / path.removesuffix(DELETED).lstrip("/")

    def command(self, *words: str) -> tuple[list[str], door.User | None]:
        """The command that runs its interpreter as it runs itself, and the user whose rights that takes from root.

        It runs somebody else's files: never with more rights than their own process has.
        """
        own, is_root = door.User(os.geteuid(), os.getegid()), os.geteuid() == 0
        if not self.is_contained:
            path = self.executable if Path(self.executable).exists() else f"/proc/{self.pid}/exe"
            return [path, *words], self.user if is_root and self.user != own else None
        if not is_root or shutil.which("nsenter") is None:
            raise ProcessError(
                f"process {self.pid} runs in a container: run repro inside of it, or as root beside it (with nsenter)"
            )
        ids = ["--setuid", str(self.user.uid), "--setgid", str(self.user.gid)]
        return ["nsenter", "--target", str(self.pid), "--mount", "--pid", *ids, "--", self.executable, *words], None


@dataclass(frozen=True)
class DumpedProcess:
    """The process in a core file. ``interpreter`` is run to learn its layout, with the rights of ``user``.

    A core file may come from anybody, and says itself which program is run: root runs none of it with its own rights
    unless the file, the program and its packages are root's.
    """

    pid: int
    core: Path
    executable: str
    interpreter: Path

    @property
    def inner_pid(self) -> int:
        """The main thread has the process's id."""
        return self.pid

    @property
    def name(self) -> str:
        """What an error calls it."""
        return str(self.core)

    def file_of(self, path: str) -> Path:
        """At the same path: the files of its machine have to lie here."""
        return self.interpreter if path == self.executable else Path(path.removesuffix(DELETED))

    def command(self, *words: str) -> tuple[list[str], door.User | None]:
        """The interpreter, and the first owner that is not root of what is involved."""
        files = (self.core, self.interpreter, *(Path(word) for word in words if word.startswith("/")))
        stats = [path.stat() for path in files if path.exists()]
        other = next((door.User(one.st_uid, one.st_gid) for one in stats if one.st_uid != 0), None)
        return [str(self.interpreter), *words], other if os.geteuid() == 0 else None


def target_of(pid: int) -> ForeignProcess:
    """The process of this id.

    Raises:
        UsageError: there is no such process, or it runs no CPython.
        ProcessError: it belongs to somebody else.
    """
    home = Path(f"/proc/{pid}")
    try:
        user = _user(home)
        executable = str((home / "exe").readlink())
        is_contained = any(_namespace(home, name) != _namespace(Path("/proc/self"), name) for name in ("mnt", "pid"))
    except FileNotFoundError:
        if home.exists():
            raise UsageError(
                f"process {pid} has no program of its own: it is a thread of the kernel, or has ended"
            ) from None
        raise UsageError(f"process {pid} does not exist; `ps -ef` shows those that run") from None
    except PermissionError:
        raise ProcessError(f"process {pid} may not be read; {how_to_be_let()}") from None
    if PYPY in Path(executable).name:
        raise UsageError(f"process {pid} runs PyPy; only CPython can be read")
    return ForeignProcess(pid, user, executable.removesuffix(DELETED), is_contained)


def how_to_be_let() -> str:
    """What gives the right to read another process's memory on this machine."""
    try:
        scope = YAMA.read_text("ascii").strip()
    except OSError:
        scope = "0"
    if scope in {"1", "2"} and os.geteuid() != 0:
        return (
            f"Yama's ptrace_scope is {scope}: run repro as root, or `sudo sysctl kernel.yama.ptrace_scope=0` "
            "for as long as you look"
        )
    if os.geteuid() == 0:
        return (
            "give the container the capability (`docker run --cap-add SYS_PTRACE`, in Kubernetes `kubectl debug "
            "--profile=sysadmin`)"
        )
    return "run repro as the user of that process, or as root"


def _user(home: Path) -> door.User:
    """The rights that a process has; the owner of its folder is root's where it may not be dumped, whoever it is."""
    lines = (home / "status").read_text("utf-8", "replace").splitlines()
    ids = {name: int(rest.split()[1]) for name, _, rest in (line.partition(":") for line in lines) if name in _IDS}
    return door.User(ids["Uid"], ids["Gid"])


def _namespace(home: Path, name: str) -> str:
    return str((home / "ns" / name).readlink())
