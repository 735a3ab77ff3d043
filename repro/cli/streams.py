"""The two standard streams on hard days: closed, full, without a reader, on a terminal that knows ASCII alone.

What a run has found is worth more than its output: a write that fails is remembered and the program goes on. Only
``repro.cli.main`` asks at the end what became of it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import TextIO

_STANDARD = (0, 1, 2)
_READER_IS_GONE = {errno.EPIPE, errno.EIO}
"""EIO is what a terminal that was closed answers."""
_failures: dict[int, OSError] = {}
_written: set[int] = set()


class _Steady(io.RawIOBase):
    """A file descriptor that takes everything: after its first failure it drops what is written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: object, /) -> int:
        whole = memoryview(data)  # type: ignore[arg-type]  # any buffer, as typeshed says by a type of its own
        _written.add(self._descriptor)
        if self._descriptor in _failures:
            return len(whole)
        try:
            return os.write(self._descriptor, whole)
        except BlockingIOError:  # a descriptor that somebody else made non-blocking
            select.select([], [self._descriptor], [])
            return 0 if len(whole) == 0 else self.write(whole)
        except OSError as error:
            _failures[self._descriptor] = error
            return len(whole)


def steady() -> None:
    """Make standard output and standard error take whatever is written to them."""
    _fill_gaps()
    sys.stdout, sys.stderr = _replaced(sys.stdout, 1), _replaced(sys.stderr, 2)


def lost_output() -> OSError | None:
    """Why standard output did not take everything; None when it did, or when its reader has gone and wants no more."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    failure = _failures.get(1)
    return None if failure is None or failure.errno in _READER_IS_GONE else failure


def has_output() -> bool:
    """Whether anything was written to standard output by now."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    return 1 in _written


def _fill_gaps() -> None:
    """A standard descriptor that is closed would be given to the next file that is opened: a run's, for example."""
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(opened, True)


def _replaced(stream: TextIO | None, descriptor: int) -> TextIO:
    encoding = stream.encoding if stream is not None else "utf-8"
    buffer = io.BufferedWriter(_Steady(descriptor))
    return io.TextIOWrapper(buffer, encoding=encoding, errors="replace", line_buffering=True)
