"""One trial: a fresh queue, a cell under load, a judge that watches it, its evidence, and nothing left behind.

    queue ─▶ gateway (fault, TLS) ─▶ cell ─▶ watch ─▶ evidence ─▶ end of the whole tree ─▶ Trial

The evidence is collected before anything is ended: output, flight record, the greenlets' stacks, the ladder.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from repro.core.hang.explanation import bound_of
from repro.core.judge.judge import Decision, Judge
from repro.core.judge.memory import Load
from repro.core.judge.samples import BackendHealth, Examination
from repro.core.judge.timeline import timeline
from repro.core.scrubbing.credentials import conceal
from repro.errors import BackendError, ReproError
from repro.model import Cell, Environment, Hang, Limits, Operations, Rung, Trial, Verdict
from repro.orchestration.observation import CancelledError, Watcher
from repro.world.collecting.flight import Fleet
from repro.world.processes import door
from repro.world.processes.output import CappedOutput
from repro.world.processes.variables import Surroundings, variables
from repro.world.runs.scrub import conceal_files

STACKS_SIGNAL = signal.SIGUSR2
QUEUE_PREFIX = "repro"


@dataclass(frozen=True, kw_only=True)
class TrialServices:
    """What all trials of a run share, and how a trial gets at the world.

    ``gateway`` opens what stands between the client and the backend of a cell, and gives the client's variables.
    ``health`` tells of a backend by its name; ``reproduce`` gives the command that runs a cell again.
    ``wait_out_s`` is how long a trial goes on past a hang to see whether it ends, 0 for not at all.
    """

    locustfile: Path
    limits: Limits
    open_gateway: Callable[[Cell, Path, str, int], contextlib.AbstractContextManager[Gateway]]
    health: Callable[[str], BackendHealth]
    examine: Callable[[Fleet, float, int], Examination]
    investigate: Callable[[Decision, Scene], Findings]
    reproduce: Callable[[Cell], str]
    cancelled: threading.Event
    seed: int = 0
    is_untouched: bool = False
    wait_out_s: float = 0.0
    request_budget: int = 0


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The way from a cell to its queue: the queue's name and the variables that lead there.

    ``begin_load`` starts the clock of faults that act from second s to t of the load. ``secrets`` are the values among
    the variables that must not be written anywhere. ``open_requests`` counts the requests of this queue that the backend
    has received, by its own log, and not answered; None where it keeps no log.
    """

    queue: str
    variables: Mapping[str, str]
    secrets: tuple[str, ...] = ()
    begin_load: Callable[[], None] = lambda: None
    open_requests: Callable[[], int | None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Where the evidence of a decided trial is to be found, while everything still stands as it was."""

    child: door.Child
    fleet: Fleet
    folder: Path
    load_at: float
    cell: Cell
    environment: Environment
    backend: BackendHealth
    outputs: tuple[CappedOutput, ...]
    open_requests: int | None = None
    backend_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an inquiry brought to light: the sentence, the rungs of the ladder, stacks that matter, a known cause."""

    explanation: str
    rungs: tuple[Rung, ...] = ()
    stacks: tuple[str, ...] = ()
    fingerprint: str = ""
    cause: str = ""
    cause_text: str = ""


@dataclass
class TrialInProgress:
    """A trial under way: what it leaves is filled in as it becomes known."""

    cell: Cell
    environment: Environment
    number: int
    folder: Path
    began: float = field(default_factory=time.monotonic)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))


def run_trial(cell: Cell, environment: Environment, *, number: int, folder: Path, site: TrialServices) -> Trial:
    """Run one trial of ``cell``; ``folder`` is made anew for its evidence. Never raises: what goes wrong is a verdict too."""
    course = TrialInProgress(cell, environment, number, folder)
    try:
        # A program that was killed has left this trial's earlier attempt there: its flight record, still full of users,
        # would be read as this one's.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return _run(course, site)
    except CancelledError:
        return _trial(course, Verdict.INTERRUPTED, "interrupted", site)
    except BackendError as error:
        return _trial(course, Verdict.BACKEND, str(error), site)
    except (ReproError, OSError) as error:
        return _trial(course, Verdict.ERROR, str(error), site)
    except Exception as error:  # noqa: BLE001  # a fault of this program ends one trial, with its traceback as evidence
        with contextlib.suppress(OSError):  # a full disk may have been the reason
            (folder / "error.txt").write_text(traceback.format_exc())
        return _trial(course, Verdict.ERROR, f"{type(error).__name__}: {error}; see {folder / 'error.txt'}", site)


def untestable(cell: Cell, *, number: int, reason: str, site: TrialServices) -> Trial:
    """The trial of a cell whose environment cannot be made: the resolver's words are its reason."""
    nowhere = Environment(key="", interpreter=Path(), python="", versions={})
    return _trial(TrialInProgress(cell, nowhere, number, Path()), Verdict.UNTESTABLE, reason, site)


def _run(course: TrialInProgress, site: TrialServices) -> Trial:
    mark = f"trial-{course.cell.id}-{course.number}-{secrets.token_hex(3)}"
    with site.open_gateway(course.cell, course.folder, mark, site.seed + course.number) as gateway:
        try:
            with _cell(course, gateway, site, mark) as (child, fleet):
                outputs = tuple(CappedOutput(course.folder / name) for name in ("stdout.txt", "stderr.txt"))
                watcher = _watcher(course, child, fleet, outputs, gateway, site)
                decision = watcher.until_decided()
                trial = _conclude(course, decision, watcher, site, gateway)
            for output in outputs:
                output.settle()
        finally:
            conceal_files(course.folder, gateway.secrets)
        return conceal(replace(trial, seconds=time.monotonic() - course.began), gateway.secrets)


@contextlib.contextmanager
def _cell(
    course: TrialInProgress, gateway: Gateway, site: TrialServices, mark: str
) -> Iterator[tuple[door.Child, Fleet]]:
    work = course.folder / "work"
    work.mkdir(exist_ok=True)
    around = Surroundings(
        interpreter=course.environment.interpreter,
        locustfile=site.locustfile,
        folder=course.folder.resolve(),
        work=work.resolve(),
        queue=gateway.queue,
        stacks_signal=int(STACKS_SIGNAL),
        seed=site.seed + course.number,
        backend=gateway.variables,
        is_untouched=site.is_untouched,
        request_budget=site.request_budget,
    )
    boot = Path(__file__).parent.parent / "agent" / "boot.py"
    fleet = Fleet(course.folder)
    child = door.start(
        [course.environment.interpreter, boot],
        env=variables(course.cell, around),
        cwd=work,
        output=door.Output(course.folder / "stdout.txt", course.folder / "stderr.txt"),
        mark=mark,
    )
    try:
        yield child, fleet
    finally:
        child.end()
        fleet.close()
        shutil.rmtree(work, ignore_errors=True)


def _watcher(
    course: TrialInProgress,
    child: door.Child,
    fleet: Fleet,
    outputs: tuple[CappedOutput, ...],
    gateway: Gateway,
    site: TrialServices,
) -> Watcher:
    settings = course.cell.settings
    load = Load(
        seconds=float(settings["seconds"]), users=int(settings["users"]), is_faulted=bool(settings.get("fault"))
    )
    backend = str(settings.get("backend", ""))
    return Watcher(
        child=child,
        fleet=fleet,
        judge=Judge(site.limits, load),
        outputs=outputs,
        health=lambda: site.health(backend),
        look=lambda fleet: site.examine(fleet, site.limits.silent_s, load.users),
        on_load=gateway.begin_load,
        cancelled=site.cancelled,
    )


def _conclude(
    course: TrialInProgress, decision: Decision, watcher: Watcher, site: TrialServices, gateway: Gateway
) -> Trial:
    sample = watcher.last
    readings = sample.readings if sample else ()
    load_at = min((reading.load_at for reading in readings if reading.load_at), default=decision.at)
    inquiry = Scene(
        child=watcher.child,
        fleet=watcher.fleet,
        folder=course.folder,
        load_at=load_at,
        cell=course.cell,
        environment=course.environment,
        backend=site.health(str(course.cell.settings.get("backend", ""))),
        outputs=watcher.outputs,
        open_requests=gateway.open_requests(),
        backend_url=gateway.variables.get("AWS_ENDPOINT_URL_SQS", ""),
    )
    findings = site.investigate(decision, inquiry)
    hang = _hang(decision, findings, load_at, course.cell, watcher, site) if decision.row.hang_class else None
    operations = Operations(
        begun=sum(reading.begun for reading in readings), ended=decision.facts.ended, failed=decision.facts.failed
    )
    moments = timeline(watcher.progress.samples, load_at=load_at, decision=decision)
    unseen = watcher.fleet.unseen()
    reason = (
        f"{findings.explanation}; {unseen} were not seen: see docs/reference/limits.md"
        if unseen
        else findings.explanation
    )
    trial = _trial(course, decision.row.verdict, reason, site)
    waited = watcher.progress.longest_wait.wait
    return replace(trial, hang=hang, operations=operations, longest_wait=waited, timeline=moments, rungs=findings.rungs)


def _hang(
    decision: Decision, findings: Findings, load_at: float, cell: Cell, watcher: Watcher, site: TrialServices
) -> Hang:
    if decision.row.hang_class is None:
        raise ValueError(decision.row.name)
    bound = bound_of(decision, attempts=int(cell.settings.get("max_attempts", 0)))
    if site.wait_out_s:
        recovered = watcher.until_recovered(decision, limit_s=site.wait_out_s)
        bound = replace(bound, recovered_after_s=recovered)
    users = int(cell.settings["users"])
    users_stuck = users if decision.facts.nobody_goes_on else len(decision.stuck)
    return Hang(
        hang_class=decision.row.hang_class,
        users_stuck=users_stuck,
        users=max(users, users_stuck),
        stuck_since_s=max(0.0, decision.since - load_at),
        bound=bound,
        explanation=findings.explanation,
        fingerprint=findings.fingerprint,
        cause=findings.cause,
        cause_text=findings.cause_text,
        stacks=findings.stacks,
    )


def _trial(course: TrialInProgress, verdict: Verdict, reason: str, site: TrialServices) -> Trial:
    return Trial(
        cell_id=course.cell.id,
        number=course.number,
        verdict=verdict,
        reason=reason,
        started=course.started,
        seconds=time.monotonic() - course.began,
        python=course.environment.python,
        versions=course.environment.versions,
        evidence=course.folder.name,
        command=site.reproduce(course.cell),
        seed=site.seed + course.number,
    )
