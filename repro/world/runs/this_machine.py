"""Who and where this machine is: what a report that leaves it must not show."""

from __future__ import annotations

import getpass
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.names import SECRET_NAME
from repro.core.scrubbing.redaction import Redact, redactor
from repro.model import Machine


def this_machine() -> Machine:
    """What is kept with a run of the machine that runs its trials."""
    return Machine(
        host=platform.node(),
        system=platform.platform(),
        cores=os.cpu_count() or 0,
        python=platform.python_version(),
        users=(_user(),),
        homes=(str(Path.home()),),
        load=round(os.getloadavg()[0], 2),
    )


def of_this_machine(*, run: Path | None = None, machines: Sequence[Machine] = ()) -> Redact:
    """The redactor that knows who and where this is, and of a run its folder and the machines that ran its trials."""
    known = (this_machine(), *machines)
    hosts = [one.host for one in known]
    return redactor(
        users=[user for one in known for user in one.users],
        homes=[home for one in known for home in one.homes],
        hosts=[name for host in hosts for name in (host, host.partition(".")[0])],
        secrets=[value for name, value in os.environ.items() if re.fullmatch(SECRET_NAME, name, re.IGNORECASE)],
        places={**({} if run is None else _places(run)), str(Path.cwd()): Marker.HERE},
    )


def redacted_place(folder: Path) -> str:
    """A folder's path as a program may open it, seen from the current one; elsewhere home and user are redacted."""
    whole, here = folder.resolve(), Path.cwd()
    if whole.is_relative_to(here):
        return str(whole.relative_to(here))
    return of_this_machine()(str(whole))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return os.environ.get("USER", "")


def _places(run: Path) -> dict[str, str]:
    """A run's folder, and how it may have been typed."""
    out = f"--out {Marker.RUN}"
    return {str(run.resolve()): Marker.RUN, f"--out {run}": out, f"--out {run.name}": out}
