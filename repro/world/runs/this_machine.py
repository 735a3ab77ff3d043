"""Who and where this machine is: what a report that leaves it must not show."""

from __future__ import annotations

import getpass
import os
import platform
import re
from pathlib import Path

from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.names import SECRET_NAME
from repro.core.scrubbing.redaction import Redact, redactor


def of_this_machine(*, run: Path | None = None) -> Redact:
    """The redactor that knows who and where this is; ``run`` is the folder of a run, which needs no name."""
    host = platform.node()
    return redactor(
        users=(_user(),),
        homes=(str(Path.home()),),
        hosts=(host, host.partition(".")[0]),
        secrets=[value for name, value in os.environ.items() if re.fullmatch(SECRET_NAME, name, re.IGNORECASE)],
        places={**({} if run is None else _places(run)), str(Path.cwd()): Marker.HERE},
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return os.environ.get("USER", "")


def _places(run: Path) -> dict[str, str]:
    """A run's folder, and how it may have been typed."""
    out = f"--out {Marker.RUN}"
    return {str(run.resolve()): Marker.RUN, f"--out {run}": out, f"--out {run.name}": out}
