"""Python files as the cell's interpreter reads them, before anything is run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from repro.errors import ProcessError, SlowProcessError, UsageError
from repro.world.commands.programs import never_starts
from repro.world.processes import door
from repro.world.runs.kept.locustfile import python_text

LIMIT_S = 30.0
MOST_CHECKED = 200
_CHECK = """
import json, sys
for path in sys.argv[1:]:
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        print(json.dumps([path, getattr(error, "lineno", None), getattr(error, "msg", str(error))]))
        break
"""


def check_syntax(interpreter: Path, files: Sequence[Path]) -> None:
    """See that the files are Python for this interpreter.

    Raises:
        UsageError: one is not; names it with its line.
    """
    if not files:
        return
    try:
        done = door.run([interpreter, "-I", "-W", "ignore", "-c", _CHECK, *files[:MOST_CHECKED]], limit_s=LIMIT_S)
    except SlowProcessError as error:
        raise UsageError(never_starts(str(interpreter), LIMIT_S)) from error
    except ProcessError as error:
        raise UsageError(f"{interpreter} does not run as Python; give the interpreter with --python") from error
    if said := done.stdout.strip():
        path, line, message = json.loads(said.splitlines()[-1])
        where = f"{path}:{line}" if line else path
        raise UsageError(f"{where}: {message}; fix the file, or run it with the Python it was written for")


def text_or_nothing(path: Path) -> str:
    """A file's text; nothing where it cannot be read."""
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        return python_text(path)
    return ""
