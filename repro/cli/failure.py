"""What nobody foresaw: one sentence on standard error, and a file with the traceback for whoever mends it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

LONGEST_REASON = 300


def sentence(error: BaseException) -> str:
    """What is to be said of an error that nobody foresaw; its traceback is written to a file, which is named."""
    reason = _reason(error)
    path = _written(error)
    where = f"the traceback is in {path}, please report it" if path else "the traceback could not be written anywhere"
    return f"repro failed: {reason}; {where}"


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    text = " ".join(str(error).split())[:LONGEST_REASON].rstrip(".;")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _written(error: BaseException) -> Path | None:
    for folder in _folders():
        with contextlib.suppress(OSError, MemoryError, ValueError):
            path = folder / f"repro-failed-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
            with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
                traceback.print_exception(error, file=file)
            return path
    return None


def _folders() -> Iterator[Path]:
    """Where a file may be written, the likeliest first."""
    with contextlib.suppress(OSError):  # there is no usable folder for temporary files
        yield Path(tempfile.gettempdir())
    cache = os.environ.get("REPRO_CACHE_DIR")
    with contextlib.suppress(RuntimeError):  # there is no home
        yield Path(cache) if cache else Path.home() / ".cache" / "repro"
