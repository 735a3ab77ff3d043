"""What goes wrong with a run's folder, in a sentence with the next step: a full disk, no permission, damage."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from repro.errors import StoreError

FILE = "run.sqlite"
LEAST_BYTES = 256 * 1024
"""Free bytes below which a disk counts as full: a WAL and its index need as many."""
_MAYBE_FULL = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}


@contextlib.contextmanager
def said(folder: Path) -> Iterator[None]:
    """What goes wrong with a run's folder, said in one sentence with the next step."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        is_full = _is_full(error, folder)
        move = (
            "free some space, then continue with --resume"
            if is_full
            else "make sure that the folder can be read and written"
        )
        raise StoreError(f"the run in {folder} cannot be read or written ({error}); {move}") from error
    except (sqlite3.DatabaseError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(
            f"{folder / FILE} is damaged ({reason}); the evidence beside it can still be read, "
            "but the run must be made again"
        ) from error


def _is_full(error: sqlite3.Error | OSError, folder: Path) -> bool:
    """Whether it is the space that lacks, by the error's number and never by its text, which holds the user's paths."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF  # above it stands which call it was
    return kind == sqlite3.SQLITE_FULL or (kind in _MAYBE_FULL and _has_no_space(folder))


def _has_no_space(folder: Path) -> bool:
    """Whether nothing can be written beside the run: SQLite calls it an I/O error if the WAL's index finds no room."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < LEAST_BYTES or (disk.f_files > 0 and disk.f_favail == 0)
