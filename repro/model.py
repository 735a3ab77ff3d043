"""The facts that every layer speaks of; of ``repro`` only ``findings``, ``answer`` and ``command`` are imported.

An experiment becomes cells, a cell's trials leave evidence, evidence becomes a verdict:

    Cell 1 ──▶ n Trial 1 ──▶ n Rung (a rung of the ladder of evidence, in files beside the store)

All records are frozen. Times named ``…_s`` are seconds; a *moment* is seconds since the load of its
trial began unless its name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from repro.answer import HuntRecord
from repro.command import CommandInFolder, CommandLine, Typed
from repro.findings import Ending, Findings

Level = str | int | float | bool
"""A value of a factor, as written in the experiment file or after ``--set``."""


class Verdict(StrEnum):
    """What a trial came to. Only ``CLEAN`` and ``HANG`` count in a rate.

    ``INCONCLUSIVE``: it did nothing any more and had not ended, and what was seen of it does not show why.
    """

    CLEAN = "clean"
    HANG = "hang"
    CRASH = "crash"
    FAILING = "failing"
    UNTESTABLE = "untestable"
    BACKEND = "backend"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    INCONCLUSIVE = "inconclusive"

    @property
    def counts_in_rate(self) -> bool:
        """Whether a trial with this verdict is an observation of the hang rate."""
        return self in {Verdict.CLEAN, Verdict.HANG}


class CellVerdict(StrEnum):
    """What the trials of a cell came to."""

    CLEAN = "clean"
    HANG = "hang"
    CRASH = "crash"
    FAILING = "failing"
    UNTESTABLE = "untestable"
    INCONCLUSIVE = "inconclusive"


class HangClass(StrEnum):
    """How a trial hung."""

    FROZEN = "frozen"
    SPINNING = "spinning"
    DEADLOCKED = "deadlocked"
    UNANSWERED = "unanswered"
    UNSTOPPABLE = "unstoppable"


@dataclass(frozen=True, kw_only=True)
class BaseEnvironment:
    """Somebody's own environment, which others are made from: of the same releases but for what is asked for.

    ``versions`` maps the normalised names of what an index has to versions; ``roots`` are those that nothing else
    needs. ``local`` are the distributions that no index has, editable and local ones, each with a digest of what is
    installed.
    """

    interpreter: Path
    python: str
    versions: Mapping[str, str] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    local: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """What was asked of an environment; its hash is the environment's key.

    ``pins``         a normalised distribution name to an exact version
    ``requires``     the scenario's own requirements, whatever the pins say (PEP 508)
    ``constraints``  which versions are allowed of packages that only other packages need (PEP 508)
    ``as_of``        the day on which everything without a pin is resolved
    ``python``       a version such as ``3.11``; empty for the default
    ``interpreter``  an existing environment that is used unchanged; nothing else counts then
    ``base``         an environment that gives all that is not stated: the interpreter, the releases as far as the pins
                     allow them, and the packages that no index has
    """

    python: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    as_of: date | None = None
    interpreter: Path | None = None
    base: BaseEnvironment | None = None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment that exists: its interpreter and what is installed in it.

    ``versions`` maps normalised distribution names to versions; ``python`` is the full version of
    the interpreter, ``3.11.7``.
    """

    key: str
    interpreter: Path
    python: str
    versions: Mapping[str, str]


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
    time-outs. ``stop_grace_s``: seconds that users and process may take to end once told to.
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


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Calls of the client in a trial: begun, ended (failed ones included), failed."""

    begun: int = 0
    ended: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """What a trial, or a cell in its trials, was given the chance to hang in.

    Operations that ended, seconds of load, users that were told to stop, garbage collections that began; None where an
    older version did not count them.
    """

    operations: int = 0
    seconds: float = 0.0
    stops: float | None = 0
    collections: int | None = 0

    def __add__(self, other: Exposure) -> Exposure:
        """Both together: what one of them does not know is not known of the sum."""
        return Exposure(
            operations=self.operations + other.operations,
            seconds=self.seconds + other.seconds,
            stops=None if self.stops is None or other.stops is None else self.stops + other.stops,
            collections=(
                None if self.collections is None or other.collections is None else self.collections + other.collections
            ),
        )


class Chance(StrEnum):
    """What a hazard is counted by: the hang class decides which chance fits."""

    OPERATION = "operations"
    STOP = "stops"


@dataclass(frozen=True, kw_only=True)
class Hazard:
    """``hangs`` in this many ``chances``, and the 95 % interval of hangs for each chance, between ``low`` and ``high``.

    ``ruled_out``: where nothing hung, the hazard from which on a hang would have been seen with 95 %; else None.
    """

    chance: Chance
    hangs: int
    chances: float
    low: float
    high: float
    ruled_out: float | None = None

    @property
    def rate(self) -> float:
        """Hangs for each chance, as they were seen."""
        return min(self.hangs / self.chances, 1.0) if self.chances else 0.0


class CollectorKind(StrEnum):
    """How the interpreter's garbage collector goes about it."""

    GENERATIONAL = "generational"
    INCREMENTAL = "incremental"


@dataclass(frozen=True, kw_only=True)
class Collector:
    """The garbage collector under which a trial ran: its kind and, at the end, its thresholds."""

    kind: CollectorKind
    thresholds: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One second of a trial, from the flight record: operations ended in it, users stuck and users alive at its end."""

    second: int
    ended: int
    stuck: int
    alive: int


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How long a hang can last at most by the cell's own time-outs; ``at_most_s`` is None when it is for ever.

    ``ending`` says why; a hang that gives up does so after ``attempts`` of up to ``attempt_s`` seconds, None where the
    number is not known. ``recovered_after_s`` is filled with ``--wait-out`` when it did recover. ``why`` is the
    sentence that an older version stored.
    """

    at_most_s: float | None
    ending: Ending | None = None
    attempts: int | None = None
    attempt_s: float = 0.0
    recovered_after_s: float | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """The longest that anybody waited in one operation, to about a tenth of a second.

    ``has_ended`` is false when it was still going on at the verdict. ``poll_s`` of it may be the operation's own long
    poll; ``at_most_s`` is what the client's own time-outs allow it, None when they are unknown or without a limit.
    """

    operation: str
    seconds: float
    has_ended: bool
    poll_s: float = 0.0
    at_most_s: float | None = None


class RungKind(StrEnum):
    """The rungs of the ladder of evidence in the order of the climb."""

    FLIGHT = "flight record"
    LOOP = "greenlets, event loop"
    THREAD = "greenlets, native thread"
    DEBUGGER = "debugger"
    KERNEL = "kernel"
    FAULTHANDLER = "faulthandler"


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One rung of the ladder: which, of which process, whether it answered, in how long, its file or its refusal."""

    kind: RungKind
    pid: int
    answered: bool
    seconds: float
    file: str = ""
    refusal: str = ""


@dataclass(frozen=True, kw_only=True)
class Hang:
    """What is known of a hang: class, k of n users, since when, and whether it ends; its trial's ``findings`` say why.

    ``stuck_since_s`` is a moment. ``fingerprint`` groups hangs with the same normalised stacks; ``cause`` is the id of
    a known cause that matches; ``modules`` are the top-level modules whose code was seen in it. ``explanation``,
    ``cause_text`` and ``stacks`` are the texts that an older version stored.
    """

    hang_class: HangClass
    users_stuck: int
    users: int
    stuck_since_s: float
    bound: Bound
    fingerprint: str = ""
    cause: str = ""
    modules: tuple[str, ...] = ()
    explanation: str = ""
    cause_text: str = ""
    stacks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of a cell and what it came to.

    ``findings`` explain its verdict; where none was decided, ``reason`` holds the words of whoever refused it, as the
    resolver's, and of a trial that an older version stored its sentence. ``evidence`` is the trial's folder relative to
    the run's. ``command`` runs the same cell again. ``seconds`` is the wall time of the whole trial, environment
    excluded. ``longest_wait`` is None when no operation was seen. ``exposure`` is all that it was given the chance to
    hang in, ``at_hang`` how much of that had passed when it hung; both None in a trial that an older version stored.
    ``machine`` is the host that ran it, empty where an older version did not keep it.
    """

    cell_id: str
    number: int
    verdict: Verdict
    started: datetime
    seconds: float
    reason: str = ""
    findings: Findings | None = None
    hang: Hang | None = None
    operations: Operations = Operations()
    exposure: Exposure | None = None
    at_hang: Exposure | None = None
    collector: Collector | None = None
    longest_wait: Wait | None = None
    timeline: tuple[Moment, ...] = ()
    rungs: tuple[Rung, ...] = ()
    python: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""
    command: str = ""
    seed: int = 0
    machine: str = ""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A share with its 95 % interval: ``hits`` of ``n``, between ``low`` and ``high``."""

    hits: int
    n: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """A cell with its trials, its verdict, and its hang rate (None when no trial counts in a rate).

    ``exposure`` is that of the trials that count, of a hung one as much as had passed when it hung; ``hazard`` is the
    hangs in it, None as the rate is.
    """

    cell: Cell
    trials: tuple[Trial, ...]
    verdict: CellVerdict
    rate: Interval | None
    exposure: Exposure = Exposure()
    hazard: Hazard | None = None


class ConditionKind(StrEnum):
    """How a condition's levels were chosen among those that were tried."""

    EQUAL = "equal"
    AMONG = "among"
    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition on a factor, or on several in lockstep: the levels that satisfy it, in their order.

    ``neighbour`` is the level beyond a threshold, where some cell with it was clean.
    """

    kind: ConditionKind
    levels: tuple[Mapping[str, Level], ...]
    neighbour: Mapping[str, Level] | None = None


Explanation = tuple[tuple[Condition, ...], ...]
"""When something happens: under all the conditions of one of these parts."""


@dataclass(frozen=True, kw_only=True)
class CellOutcome:
    """What ``cells`` of the ``of`` cells that tell anything about it came to, and its smallest explanations.

    Several explanations are equally small: the cells do not settle which one is true.
    """

    verdict: CellVerdict
    cells: int
    of: int
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NoEffect:
    """A factor, or several in lockstep, that made no difference where all the conditions of ``under`` hold.

    ``pairs`` of cells that differ in it alone came to the same; 0 where an older version did not count them.
    """

    factors: tuple[str, ...]
    under: tuple[Condition, ...] = ()
    pairs: int = 0


@dataclass(frozen=True, kw_only=True)
class CleanMeans:
    """What a clean cell was given the chance to hang in, at least.

    ``could_have_missed`` is a share of its trials, ``hazard_missed`` hangs for each operation: a hang that comes less
    often than these could have been missed. None where no operation ended.
    """

    trials: int
    operations: int
    could_have_missed: float
    hazard_missed: float | None = None


@dataclass(frozen=True, kw_only=True)
class Clause:
    """A condition of a combination; ``is_shown``: a cell that hung was clean once this factor alone was changed."""

    condition: Condition
    is_shown: bool


@dataclass(frozen=True, kw_only=True)
class FaultyCombination:
    """Levels that hang together, and how likely that is.

    ``is_enough``: a clean cell hung once all of them were added.
    """

    clauses: tuple[Clause, ...]
    probability: float
    is_enough: bool

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All its conditions."""
        return tuple(clause.condition for clause in self.clauses)


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """Which combinations of levels hang: those ``found``, each as certain as was asked, for each independent cause.

    ``suspected`` are the likeliest of a hang that is not settled, ``something_else`` how likely none of a few levels
    explains it. ``trials`` are those that count, of ``cells``.
    """

    found: tuple[FaultyCombination, ...]
    suspected: tuple[FaultyCombination, ...]
    something_else: float
    confidence: float
    cells: int
    trials: int

    @property
    def is_settled(self) -> bool:
        """Whether every hang that was seen has its cause."""
        return not self.suspected


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What a run's cells showed: when they hang, when they come to something else, and what a clean one means.

    ``cells`` are those that were tried. ``outcomes`` are those other than clean, a hang first. ``bounded`` cells that
    hang do so no longer than ``bounded_s``. ``causes`` maps the id of each known cause to the trials that show it.
    ``faulty`` is the combination that hangs, None where it was not sought.
    """

    cells: int
    clean: int
    outcomes: tuple[CellOutcome, ...] = ()
    bounded: int = 0
    bounded_s: float = 0.0
    no_effect: tuple[NoEffect, ...] = ()
    clean_means: CleanMeans | None = None
    causes: Mapping[str, int] = field(default_factory=dict)
    faulty: Faulty | None = None

    def outcome(self, verdict: CellVerdict) -> CellOutcome | None:
        """The outcome of that verdict, None when no cell came to it."""
        return next((one for one in self.outcomes if one.verdict is verdict), None)


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
