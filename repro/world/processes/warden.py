"""Ends what a dead program left: started by ``processes.warded`` as ``warden.py MARK [FOLDER…]``.

Reads its standard input, which nobody writes to, until its end: then the program has gone, whether by its own will or
by ``kill -9``. What still carries its mark is killed and the temporary folders are removed.

While it waits it notes down, several times a second, what runs below the program: a process that has forked twice, left
its session and emptied its environment is found by that alone. One that was born so in the last ``LOOK_S`` seconds
before a ``kill -9`` is not found.
"""

import contextlib
import os
import select
import shutil
import sys
import time

import psutil

sys.path.append(os.path.dirname(__file__))  # noqa: PTH120  # by path, so that it starts without importing `repro`
import marks
import orphans

END_LIMIT_S = 10.0
LOOK_S = 0.25


def main(mark: str, folders: list[str]) -> None:
    """Wait for the end of the program, then tidy up."""
    program = os.getppid()
    seen: dict[int, tuple[psutil.Process, int]] = {}
    while not select.select([0], [], [], LOOK_S)[0] or os.read(0, 4096):
        _note(program, seen)
    deadline = time.monotonic() + END_LIMIT_S
    while (found := _left(mark, seen)) and time.monotonic() < deadline:
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.02)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _note(program: int, seen: dict[int, tuple[psutil.Process, int]]) -> None:
    """Keep what runs below the program in its own sessions, with those sessions, and forget what has ended."""
    for pid in orphans.tree_of(program) - seen.keys() - {os.getpid()}:
        with contextlib.suppress(psutil.Error, OSError):
            session = os.getsid(pid)
            if session != os.getsid(program):
                seen[pid] = (psutil.Process(pid), session)
    for pid in [pid for pid, (process, _) in seen.items() if not marks.is_running(process)]:
        del seen[pid]


def _left(mark: str, seen: dict[int, tuple[psutil.Process, int]]) -> list[psutil.Process]:
    """What still runs of the program: by its mark, because it was seen, or in a session of those that were."""
    sessions = {session for _, session in seen.values()}
    found = [*marks.marked(mark), *(process for process, _ in seen.values())]
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) in sessions:
                found.append(process)
    return [process for process in orphans.with_offspring(found) if marks.is_running(process)]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
