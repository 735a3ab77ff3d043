"""What is to be run: cells, their limits, how many trials, and what all trials share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from repro.command import CommandInFolder
from repro.model.environments import EnvironmentSpec

Level = str | int | float | bool
"""A value of a factor, as written in the experiment file or after ``--set``."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A DynamoDB table that a load expects: its hash key and perhaps its range key, each with its type (S, N or B)."""

    name: str
    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Provision:
    """What each trial finds: ``queues``, ``buckets`` and ``tables`` in its account, and what ``before`` makes there.

    ``serve`` is the command of a server that stands in the account's place, ``serve_url`` where it answers.
    ``redirects`` are the addresses, written into somebody's files, that lead to the backend.
    """

    queues: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    before: str = ""
    serve: str = ""
    serve_url: str = ""
    redirects: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be made before a trial."""
        return not (self.queues or self.buckets or self.tables or self.before or self.serve)


@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """What was asked of all trials of a run alike, from the command line to the cell's variables.

    ``is_untouched`` asks that nothing be written into the environment, not even byte code. ``wait_out_s`` is how long a
    trial goes on past a hang to see whether it ends, 0 for not at all. ``request_budget`` is the upper bound of
    requests for each process, 0 for none. ``command`` is somebody's own, which is run in the place of ``locustfile``.
    """

    locustfile: Path
    seed: int = 0
    is_replay: bool = False
    is_untouched: bool = False
    wait_out_s: float = 0.0
    request_budget: int = 0
    provision: Provision = field(default_factory=Provision)
    command: CommandInFolder | None = None

    def of_trial(self, number: int) -> TrialOptions:
        """The same for one trial, which has a seed of its own unless one is replayed."""
        return self if self.is_replay else replace(self, seed=self.seed + number)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits by which the judge decides, from ``[limits]``.

    ``stall_after_s``: seconds of silence beyond what an operation may take by its own long poll and
    timeouts. ``stop_grace_s``: seconds that users and process may take to end once told to.
    ``start_s``: seconds from the start of the process to its first user, of a script to its first operation.
    ``failing_share``: the share of failed operations from which a trial is ``failing``.
    ``beat_s``: seconds without a beat of the event loop from which it no longer turns.
    """

    stall_after_s: float = 10.0
    stop_grace_s: float = 5.0
    start_s: float = 60.0
    failing_share: float = 0.5
    beat_s: float = 5.0

    @property
    def silent_s(self) -> float:
        """Seconds without a beat from which an event loop counts as standing: a stall may take them too."""
        return max(self.beat_s, self.stall_after_s)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One level for every factor.

    ``factors`` holds the level of each factor that the experiment names and of every setting (defaults included),
    packages and ``stack`` too; ``settings`` only the settings, ``environ`` the ``env.NAME`` ones without the prefix.
    ``id`` is a hash of ``factors`` and the scenario. ``named`` are the factors that vary in this experiment, or that
    are not as usual in its only cell; ``label`` says their levels to people.
    """

    id: str
    label: str
    scenario: str
    factors: Mapping[str, Level]
    settings: Mapping[str, Level]
    environ: Mapping[str, str]
    environment: EnvironmentSpec
    named: tuple[str, ...] = ()


class Until(StrEnum):
    """When a cell has been tried enough: once its verdict is settled, or once all its trials are made."""

    SETTLED = "settled"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long a cell is tried besides its number of trials: ``soak_s`` seconds of load, and until ``rule_out`` is.

    ``rule_out`` are hangs for each operation. Both are 0 where the trials are counted alone; else ``most_trials``
    bounds them, None for no bound. ``replays`` is the one seed of all trials, None where each has its own.
    """

    until: Until = Until.SETTLED
    soak_s: float = 0.0
    rule_out: float = 0.0
    most_trials: int | None = None
    replays: int | None = None

    @property
    def is_open_ended(self) -> bool:
        """Whether a cell is tried in as many trials as it takes."""
        return bool(self.soak_s or self.rule_out)


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What few cells of a matrix cover: each of its ``combinations`` of ``strength`` levels is in one of them.

    ``of`` are the cells of the whole matrix. The rules leave no cell for ``ruled_out`` more combinations;
    ``impossible`` are the smallest ones that explain those.
    """

    strength: int
    of: int
    combinations: int
    ruled_out: int = 0
    impossible: tuple[Mapping[str, Level], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Confirm:
    """How certain the cause of the hangs is to be, and the most trials made for it beyond those of the cells."""

    confidence: float
    most_trials: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An experiment made into cells; ``varied`` names the factors with several levels, in the file's order.

    ``cover`` says what the cells cover where they are only some of the matrix, else it is None. With ``confirm`` the
    combination of levels that hangs is sought, and cells are added that show it.
    """

    experiment: str
    scenario: str
    cells: tuple[Cell, ...]
    varied: tuple[str, ...]
    trials: int
    limits: Limits
    effort: Effort = Effort()
    cover: Cover | None = None
    confirm: Confirm | None = None
