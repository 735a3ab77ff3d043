"""A trial, its hang, and the rungs of the ladder of evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from repro.findings import Ending, Findings
from repro.model.exposure import Collector, Exposure, Operations
from repro.model.verdicts import HangClass, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One second of a trial, from the flight record: operations ended in it, users stuck and users alive at its end."""

    second: int
    ended: int
    stuck: int
    alive: int


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How long a hang can last at most by the cell's own timeouts; ``at_most_s`` is None when it never ends.

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
    poll; ``at_most_s`` is what the client's own timeouts allow it, None when they are unknown or without a limit.
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
    MEMORY = "greenlets, memory"
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
    operations: Operations = field(default_factory=Operations)
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
