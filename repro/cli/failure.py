"""What a failing command leaves: the JSON document of the error, and a file with the traceback of an unexpected one."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

LONGEST_REASON = 300


def is_json_asked(words: Sequence[str]) -> bool:
    """Whether a command line asks for a JSON document, even if it is wrong otherwise."""
    own = [*words[: words.index("--")]] if "--" in words else [*words]
    return "--json" in own or "--format=json" in own or ("--format", "json") in itertools.pairwise(own)


def document(error: str, hint: str, code: int, *, redact: bool) -> str:
    """The JSON document of an error, redacted like a run's; the sentence itself goes to standard error."""
    whole: dict[str, str | int] = {"error": error, "hint": hint, "exit_code": int(code)}
    return json.dumps(_redacted(whole) if redact else whole)


def _redacted(whole: dict[str, str | int]) -> dict[str, str | int]:
    from repro.core.scrubbing.redaction import redacted
    from repro.world.runs.this_machine import of_this_machine

    try:
        said: dict[str, str | int] = redacted(whole, of_this_machine())
    except (OSError, RuntimeError, MemoryError):  # no home, no current folder, no memory: nobody knows what to hide
        return whole | {"error": "the error is on standard error", "hint": ""}
    return said


def sentence(error: BaseException) -> str:
    """The message for an unexpected error; writes the traceback to a file, and names it."""
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
