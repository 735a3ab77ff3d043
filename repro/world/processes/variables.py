"""The environment variables of a cell: built, never inherited.

Variables such as ``AWS_PROFILE``, ``HTTPS_PROXY`` or ``REQUESTS_CA_BUNDLE`` of the user's shell would change what a
cell does, and nobody would see it in the report.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repro.command import CommandInFolder
from repro.core.experiment.factors import level_text
from repro.model import Cell, TrialOptions

BEYOND_THE_LOAD_S = 3600
SLOTS_BEYOND_USERS = 1024
"""Slots of a flight record for greenlets and threads that call the client and are not users; one takes 128 bytes."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a cell runs: its interpreter, folders and backend, and what was asked of its trial.

    ``folder`` takes flight record and dumps, ``work`` is the cell's home folder, and its current one unless it runs
    somebody's command. ``backend`` are the variables by which the client finds it, credentials included.
    """

    options: TrialOptions
    interpreter: Path
    folder: Path
    work: Path
    queue: str
    stacks_signal: int
    backend: Mapping[str, str] = field(default_factory=dict)


def variables(cell: Cell, around: Surroundings) -> dict[str, str]:
    """All variables of the cell's leading process; an ``env.NAME`` level that is empty leaves the variable unset."""
    options = around.options
    users = int(cell.settings.get("users", 1))
    fixed = {
        "PATH": f"{around.interpreter.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(around.work),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # what a cell printed before it was killed is evidence
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "REPRO_LOCUSTFILE": str(options.locustfile),
        "REPRO_TRIAL_DIR": str(around.folder),
        "REPRO_QUEUE": around.queue,
        "REPRO_STACKS_SIGNAL": str(around.stacks_signal),
        "REPRO_SEED": str(options.seed),
        "REPRO_SLOTS": str(users + SLOTS_BEYOND_USERS),
    }
    if options.is_untouched:
        fixed["PYTHONDONTWRITEBYTECODE"] = "1"
    if options.request_budget:
        fixed["REPRO_REQUEST_BUDGET"] = str(options.request_budget)
    own = {name: value for name, value in cell.environ.items() if value != ""}
    passed = (
        {} if options.command is None else _of_command(options.command, around, float(cell.settings.get("seconds", 0)))
    )
    return {**level_text.variables(cell.settings), **fixed, **passed, **around.backend, **own}


def _of_command(command: CommandInFolder, around: Surroundings, seconds: float) -> dict[str, str]:
    """What a command is told, and what of the shell is passed on to it; its PATH is the shell's behind its own.

    A run time of a file of Locust's would end the load however long it is to be: the factor has taken its place.
    """
    beyond = {"LOCUST_RUN_TIME": str(int(seconds) + BEYOND_THE_LOAD_S)} if command.line.is_timed_by_file else {}
    arguments = [_filled(word, around) for word in command.line.arguments]
    return {
        **{name: _filled(value, around) for name, value in command.variables.items()},
        **beyond,
        "PATH": f"{around.interpreter.parent}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "REPRO_PROGRAM": command.line.program.value,
        "REPRO_TARGET": command.target,
        "REPRO_LOCUSTFILE": command.line.locustfile,
        "REPRO_ARGUMENTS": json.dumps(arguments),
        **({"REPRO_WEB_UI": "1"} if command.has_web_ui else {}),
    }


def _filled(word: str, around: Surroundings) -> str:
    """A word with the trial's own queue, endpoint and region in the place of their names in braces."""
    places = {
        "{queue}": around.queue,
        "{endpoint}": around.backend.get("AWS_ENDPOINT_URL", ""),
        "{region}": around.backend.get("AWS_DEFAULT_REGION", ""),
    }
    for name, value in places.items():
        word = word.replace(name, value)
    return word
