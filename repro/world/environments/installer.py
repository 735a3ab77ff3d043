"""uv, called with the user's own settings: index, proxy, certificates, and what only pip was told of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from repro.errors import ProcessError, UntestableError
from repro.world.environments.indexes import passed_on
from repro.world.processes import door

_LOOKING = threading.Lock()


def call(arguments: list[str], *, limit_s: float) -> door.Completed:
    """What uv answers to these arguments.

    Raises:
        UntestableError: it does not within ``limit_s`` seconds.
    """
    variables, more = passed_on(os.environ, Path.cwd())
    argv = [uv_path(), *arguments, *(more if arguments[0] == "pip" else [])]
    try:
        return door.run(argv, env={**_environment(), **variables}, limit_s=limit_s, mark="uv")
    except ProcessError as error:
        raise UntestableError(f"the installer did not finish: {error}; try again") from error


def uv_path() -> str:
    """The uv that was installed with this program.

    One thread looks at a time. uv asks ``sysconfig``, which up to Python 3.11 fills a dictionary on the first question,
    and answers a second thread from it while it is half full: None, which uv adds to a text.
    """
    import uv

    with _LOOKING:
        return str(uv.find_uv_bin())


def _environment() -> dict[str, str]:
    """The user's own; no interpreter is downloaded behind the user's back."""
    own = dict(os.environ)
    own.pop("VIRTUAL_ENV", None)
    own["UV_PYTHON_DOWNLOADS"] = "never"
    own["NO_COLOR"] = "1"
    return own
