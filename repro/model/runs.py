"""A run as it is kept: its plan, the machines, its cells and their conclusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from repro.answer import HuntRecord
from repro.command import CommandLine, Typed
from repro.model.conclusions import CellResult, Conclusion
from repro.model.plans import Plan


@dataclass(frozen=True)
class Shard:
    """One of the shares into which the trials of a run are dealt: the ``number``-th, from 1, of ``of``."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine that ran trials of a run: its name on its network, what it is, and who and where its user is.

    ``load`` is its load average of a minute before its first trial, None where nobody knows. ``capacities`` are the
    operations a second that each backend carried on it with nothing else on.
    """

    host: str
    system: str = ""
    cores: int = 0
    python: str = ""
    users: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    load: float | None = None
    capacities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run as it is read back from its folder: all that a report needs.

    ``command`` is the command line as typed; ``tool_versions`` those of this program's own environment;
    ``conclusion`` what the cells showed, None as long as nobody has concluded; ``hunt`` what a bisection or a blame was
    asked for and came to when the run was one, else None; ``typed`` somebody's own command when the run was of one, and
    ``typed_in`` where it was typed.
    ``machines`` are those that ran trials. Of a ``shard``, ``cells`` are only those that have a trial in it, while
    ``plan`` is that of the whole run.
    """

    folder: Path
    run_id: str
    plan: Plan
    command: str
    started: datetime
    ended: datetime | None
    seed: int
    machine: Mapping[str, str]
    tool_versions: Mapping[str, str]
    cells: tuple[CellResult, ...]
    conclusion: Conclusion | None = None
    hunt: HuntRecord | None = None
    typed: CommandLine | None = None
    typed_in: Typed | None = None
    machines: tuple[Machine, ...] = ()
    shard: Shard | None = None
