"""A hostile day: its own folders, the program's children under watch, and what came of it.

The benchmark makes itself the reaper of orphans, so that whatever a try leaves running is a descendant, whatever
session, environment or parent it chose. Only descendants are ever ended: other people's processes are out of reach.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

STOP_GRACE_S = 15  # what the program may take to end its cells and keep what it has
LINGER_S = 2  # what a child may take to end once the program has
POLL_S = 0.05
KEPT_CHARACTERS = 200_000
PR_SET_CHILD_SUBREAPER = 36
QUICK = ("--set", "seconds=2", "--trials", "1")
KEYBOARD = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True)
class Outcome:
    """What came of a try. ``code`` is None where the program had to be ended; ``facts`` are a try's own findings."""

    code: int | None
    stdout: str
    stderr: str
    seconds: float
    running: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def cells(self) -> list[dict[str, object]]:
        """The cells of the JSON document on standard output; none where there is no document."""
        with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
            return list(json.loads(self.stdout)["cells"])
        return []

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Of every cell, the class behind a hang."""
        return tuple(
            f"{cell['verdict']} ({cell['hang_class']})" if cell.get("hang_class") else str(cell["verdict"])
            for cell in self.cells
        )

    @property
    def told(self) -> str:
        """All that a reader sees, in one text."""
        return self.stderr + "\n" + self.stdout


class CannotTry(Exception):  # noqa: N818  # the day cannot be made here: no fault of anybody's
    """The machine does not allow this day; the message says what is missing."""


@dataclass(frozen=True)
class Day:
    """Where a try happens, and with which program."""

    program: Path
    folder: Path
    cache: Path
    make_stored: Callable[[], Path]
    timeout_s: float

    @property
    def stored(self) -> Path:
        """The small run that tries on reports copy, made when the first of them needs it."""
        return self.make_stored()

    @property
    def cwd(self) -> Path:
        """The program's working folder."""
        return self.folder / "cwd"

    @property
    def tmp(self) -> Path:
        """The program's TMPDIR: what is in it at the end was left behind."""
        return self.folder / "tmp"

    @property
    def out(self) -> Path:
        """The run's folder, where a try names one."""
        return self.folder / "run"

    def environment(self) -> dict[str, str]:
        """This process's environment with the day's own folders."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REPRO_")}
        return {**inherited, "TMPDIR": str(self.tmp), "REPRO_CACHE_DIR": str(self.cache)}

    def write(self, name: str, content: str | bytes) -> str:
        """A file in the working folder; its path."""
        path = self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def copy_stored(self) -> Path:
        """A copy of the small stored run, to be damaged."""
        return Path(shutil.copytree(self.stored, self.out, symlinks=True))

    def call(
        self,
        *arguments: str,
        prefix: Sequence[str] = (),
        env: Mapping[str, str | None] | None = None,
        meanwhile: Callable[[subprocess.Popen[bytes], Path], None] | None = None,
    ) -> Outcome:
        """The program run once with ``arguments``; ``meanwhile`` gets the process and the file of its progress."""
        environment: dict[str, str | None] = {**self.environment(), **(env or {})}
        began, number = time.monotonic(), len(list(self.folder.glob("stdout-*")))
        out, err = self.folder / f"stdout-{number}", self.folder / f"stderr-{number}"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*prefix, str(self.program), *arguments],
                cwd=self.cwd,
                env={name: value for name, value in environment.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # a try may signal its group; that group must not be this program's
                preexec_fn=_heed_keyboard,  # noqa: PLW1509  # there are no threads here
            )
            if meanwhile:
                meanwhile(process, err)
            code = _ended(process, self.timeout_s - (time.monotonic() - began))
        return Outcome(code, _text(out), _text(err), time.monotonic() - began)

    def run(self, *arguments: str, quick: Sequence[str] = QUICK, **how: object) -> Outcome:
        """``repro run known/clean`` into the day's folder, with the verdict as JSON."""
        return self.call("run", "known/clean", *quick, "--out", str(self.out), "--json", *arguments, **how)  # type: ignore[arg-type]

    def load(self, locustfile: str | bytes, *arguments: str, **how: object) -> Outcome:
        """The same with somebody's own locustfile, which must be Python: a slip here would pass for a crash there."""
        compile(locustfile, "mine.py", "exec")
        path = self.write("mine.py", locustfile)
        return self.run("--locustfile", path, "--set", "users=5", *arguments, **how)


def needs_mounts() -> None:
    """Refuse the day where nothing may be mounted."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        raise CannotTry("a disk of its own needs root, unshare and the right to mount")


def adopt_orphans() -> None:
    """Make orphaned descendants this process's children, so that none is lost from sight (Linux)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel has no subreaper, so leftovers could not be seen")


@contextlib.contextmanager
def folders(parent: Path) -> Iterator[Path]:
    """A try's folder with its working and temporary ones, deleted at the end."""
    for name in ("cwd", "tmp"):
        (parent / name).mkdir(parents=True)
    try:
        yield parent
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def looked_after(day: Day, outcome: Outcome) -> Outcome:
    """The outcome with what was left running and behind; what was left running is ended."""
    limit = time.monotonic() + LINGER_S
    while _alive() and time.monotonic() < limit:
        time.sleep(POLL_S)
    running = tuple(_name(process) for process in _alive())
    end_descendants()
    behind = tuple(sorted(path.name for path in day.tmp.iterdir())) if day.tmp.is_dir() else ()
    return replace(outcome, running=running, behind=behind)


def end_descendants() -> None:
    """Kill what is left of this process's descendants, by id, and reap it."""
    limit = time.monotonic() + STOP_GRACE_S
    while (left := _alive()) and time.monotonic() < limit:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()  # psutil refuses where the id has passed to another process
        time.sleep(POLL_S)
    if left:
        raise SystemExit(f"cannot end {', '.join(map(_name, left))}: end it by hand before the next try")


def _heed_keyboard() -> None:
    """Undo what nohup or a shell's ``&`` passed on: a signal that is ignored here would be ignored by every child."""
    for number in KEYBOARD:
        signal.signal(number, signal.SIG_DFL)


def _alive() -> list[psutil.Process]:
    alive = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
            elif process.ppid() == os.getpid():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
    return alive


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:90] or process.name()
    except psutil.Error:
        return f"process {process.pid}"


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> int | None:
    try:
        return process.wait(max(timeout_s, 1))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(KEPT_CHARACTERS * 10).decode(errors="replace")
