"""One trial: a fresh queue, a cell under load, a judge that watches it, its evidence, and nothing left behind.

    queue ─▶ gateway (fault, TLS) ─▶ cell ─▶ watch ─▶ evidence ─▶ end of the whole tree ─▶ Trial

The evidence is collected before anything is ended: output, flight record, the greenlets' stacks, the ladder.

Its stages, in the order of this file, and the record that each hands on:

    what                                        by                              record
    what all trials of a session share          ``Session.services``            TrialServices, with TrialOptions in it
    this trial: its cell, number, folder        ``run_trial``                   TrialInProgress
    the way to its own queue                    ``gateway.Gateways.open``       Gateway
    the process, and its flight records         ``_cell``                       door.Child, Fleet
    what is known ten times a second            ``Watcher.sample``              Sample
    what users are parked on, when the judge    ``collector.examine``           Examination
      asks for it while it decides
    the judge's last word                       ``Watcher.until_decided``       Decision
    where the evidence of it stands             ``_conclude``                   Scene
    what the ladder brought to light, once      ``collector.Investigator``      Findings
      it is decided
    what is kept                                ``_conclude``, ``_hang``        Trial, with Hang in it
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from repro.core.course.amplified import NO_KNOB, amplified_of, verdict_under
from repro.core.course.collector import collector_of, open_collection
from repro.core.course.exposure import exposure_at_hang, whole_exposure
from repro.core.course.timeline import timeline
from repro.core.hang.findings import bound_of
from repro.core.judge.judge import Decision, Judge
from repro.core.judge.now import Load
from repro.core.judge.samples import BackendHealth, Examination
from repro.core.scrubbing.credentials import conceal
from repro.errors import BackendError, ReproError
from repro.findings import Findings
from repro.model import Cell, Environment, Hang, Limits, Operations, Rung, Trial, TrialOptions, Verdict
from repro.orchestration.trial.gateway import Gateway, Gateways
from repro.orchestration.trial.observation import CancelledError, TrialProgress, Watcher
from repro.orchestration.trial.status import Stage, TrialStatus
from repro.world.collecting.flight import Fleet
from repro.world.commands.folder import private_copy
from repro.world.processes import door
from repro.world.processes.output import CappedOutput
from repro.world.processes.variables import Surroundings, variables
from repro.world.runs.kept.scrub import conceal_files

FOLDER = "folder"
STACKS_SIGNAL = signal.SIGUSR2


class Examine(Protocol):
    """What every user is parked on: ``collector.examine``."""

    def __call__(self, fleet: Fleet, *, beat_s: float, users: int, backend_port: int) -> Examination:
        """One look; ``beat_s`` in seconds."""


@dataclass(frozen=True, kw_only=True)
class TrialServices:
    """What all trials of a run share, and how a trial gets at the world.

    ``gateways`` open what stands between the client and the backend of a cell, and give the client's variables.
    ``reproduce`` gives the command that runs a cell again. ``scratch`` is where trials have their folders, the
    machine's own place for such where it is None. ``on_status`` is told where a trial stands, in the trial's own
    thread, which judges: it must keep the record and return.
    """

    options: TrialOptions
    limits: Limits
    gateways: Gateways
    examine: Examine
    investigate: Callable[[Decision, Scene], Investigation]
    reproduce: Callable[[Cell], str]
    cancelled: threading.Event
    scratch: Path | None = None
    on_status: Callable[[TrialStatus], object] = lambda _: None


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
class Investigation:
    """What an inquiry brought to light: what explains the verdict, the rungs, and what tells a hang from others."""

    findings: Findings
    rungs: tuple[Rung, ...] = ()
    fingerprint: str = ""
    modules: tuple[str, ...] = ()


@dataclass
class TrialInProgress:
    """A trial under way: what it leaves is filled in as it becomes known."""

    cell: Cell
    environment: Environment
    number: int
    folder: Path
    began: float = field(default_factory=time.monotonic)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def status(
        self, stage: Stage, *, progress: TrialProgress | None = None, decision: Decision | None = None
    ) -> TrialStatus:
        """Where it stands, as it is handed out."""
        return TrialStatus(
            cell_id=self.cell.id,
            number=self.number,
            stage=stage,
            began=self.began,
            ended=progress.ended if progress else 0,
            per_s=progress.per_s if progress else 0.0,
            verdict=decision.row.verdict if decision else None,
            hang_class=decision.row.hang_class if decision else None,
        )


def run_trial(cell: Cell, environment: Environment, *, number: int, folder: Path, services: TrialServices) -> Trial:
    """Run one trial of ``cell``; ``folder`` is made anew for its evidence. Never raises: a failure is a verdict too."""
    under_way = TrialInProgress(cell, environment, number, folder)
    services.on_status(under_way.status(Stage.PREPARING))
    try:
        # A program that was killed has left this trial's earlier attempt there: its flight record, still full of users,
        # would be read as this one's.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return _run(under_way, services)
    except CancelledError:
        return _trial(under_way, Verdict.INTERRUPTED, services)
    except BackendError as error:
        return _trial(under_way, Verdict.BACKEND, services, reason=str(error))
    except (ReproError, OSError) as error:
        return _trial(under_way, Verdict.ERROR, services, reason=str(error))
    except Exception as error:  # noqa: BLE001  # a fault of this program ends one trial, with its traceback as evidence
        with contextlib.suppress(OSError):  # a full disk may have been the reason
            (folder / "error.txt").write_text(traceback.format_exc())
        told = f"{type(error).__name__}: {error}; see {folder / 'error.txt'}"
        return _trial(under_way, Verdict.ERROR, services, reason=told)


def untestable(cell: Cell, *, number: int, reason: str, services: TrialServices) -> Trial:
    """The trial of a cell whose environment cannot be made: the resolver's words are its reason."""
    nowhere = Environment(key="", interpreter=Path(), python="", versions={})
    return _trial(TrialInProgress(cell, nowhere, number, Path()), Verdict.UNTESTABLE, services, reason=reason)


def _run(under_way: TrialInProgress, services: TrialServices) -> Trial:
    mark = f"trial-{under_way.cell.id}-{under_way.number}-{secrets.token_hex(3)}"
    seed = services.options.of_trial(under_way.number).seed
    with services.gateways.open(under_way.cell, folder=under_way.folder, mark=mark, seed=seed) as gateway:
        try:
            with _cell(under_way, gateway, services, mark) as (child, fleet):
                outputs = tuple(CappedOutput(under_way.folder / name) for name in ("stdout.txt", "stderr.txt"))
                watcher = _watcher(under_way, child, fleet, outputs, gateway, services)
                decision = watcher.until_decided()
                services.on_status(under_way.status(Stage.COLLECTING, progress=watcher.progress, decision=decision))
                trial = _conclude(under_way, decision, watcher, services, gateway)
            for output in outputs:
                output.settle()
        finally:
            conceal_files(under_way.folder, gateway.secrets)
        return conceal(replace(trial, seconds=time.monotonic() - under_way.began), gateway.secrets)


@contextlib.contextmanager
def _cell(
    under_way: TrialInProgress, gateway: Gateway, services: TrialServices, mark: str
) -> Iterator[tuple[door.Child, Fleet]]:
    home, work = _places(under_way, services)
    around = Surroundings(
        options=services.options.of_trial(under_way.number),
        interpreter=under_way.environment.interpreter,
        folder=under_way.folder.resolve(),
        work=home.resolve(),
        queue=gateway.queue,
        stacks_signal=int(STACKS_SIGNAL),
        backend=gateway.variables,
    )
    boot = Path(__file__).parents[2] / "agent" / "boot.py"
    command = services.options.command
    fleet = Fleet(under_way.folder)
    child = door.start(
        [under_way.environment.interpreter, *(command.line.options if command else ()), boot],
        env=variables(under_way.cell, around),
        cwd=work,
        output=door.Output(under_way.folder / "stdout.txt", under_way.folder / "stderr.txt"),
        mark=mark,
    )
    try:
        yield child, fleet
    finally:
        child.end()
        fleet.close()
        shutil.rmtree(home, ignore_errors=True)


def _places(under_way: TrialInProgress, services: TrialServices) -> tuple[Path, Path]:
    """The cell's home, which goes with all below it when the trial is over, and its current folder.

    A command's is its own copy of the folder in which it was typed. It does not lie below the run's, which may lie in
    that folder itself: whoever looks for a file upward would find the user's.
    """
    command = services.options.command
    if command is None:
        work = under_way.folder / "work"
        work.mkdir(exist_ok=True)
        return work, work
    home = Path(tempfile.mkdtemp(prefix=f"{under_way.cell.id}-{under_way.number}-", dir=services.scratch))
    for file in command.home:
        shutil.copy2(file, home)
    copy = home / FOLDER
    private_copy(command.folder, copy)
    return home, copy / command.place


def _watcher(
    under_way: TrialInProgress,
    child: door.Child,
    fleet: Fleet,
    outputs: tuple[CappedOutput, ...],
    gateway: Gateway,
    services: TrialServices,
) -> Watcher:
    settings = under_way.cell.settings
    load = Load(
        seconds=float(settings["seconds"]), users=int(settings["users"]), is_faulted=bool(settings.get("fault"))
    )
    progress = TrialProgress()
    return Watcher(
        child=child,
        fleet=fleet,
        judge=Judge(services.limits, load),
        outputs=outputs,
        health=gateway.health,
        examine=lambda fleet: services.examine(
            fleet, beat_s=services.limits.silent_s, users=load.users, backend_port=gateway.backend_port
        ),
        on_load=gateway.begin_load,
        between=gateway.pids,
        cancelled=services.cancelled,
        on_stage=lambda stage: services.on_status(under_way.status(stage, progress=progress)),
        progress=progress,
    )


def _conclude(
    under_way: TrialInProgress, decision: Decision, watcher: Watcher, services: TrialServices, gateway: Gateway
) -> Trial:
    sample = watcher.last
    readings = sample.readings if sample else ()
    load_at = min((reading.load_at for reading in readings if reading.load_at), default=decision.at)
    inquiry = Scene(
        child=watcher.child,
        fleet=watcher.fleet,
        folder=under_way.folder,
        load_at=load_at,
        cell=under_way.cell,
        environment=under_way.environment,
        backend=gateway.health(),
        outputs=watcher.outputs,
        open_requests=gateway.open_requests(),
        backend_url=gateway.variables.get("AWS_ENDPOINT_URL_SQS", ""),
    )
    found = services.investigate(decision, inquiry)
    if decision.row.hang_class and services.options.wait_out_s:
        services.on_status(under_way.status(Stage.WAITING, progress=watcher.progress, decision=decision))
    level = str(under_way.cell.settings.get("amplify", NO_KNOB))
    amplified = amplified_of(level, readings, outside=gateway.amplified())
    hang = _hang(decision, found, load_at, under_way.cell, watcher, services) if decision.row.hang_class else None
    operations = Operations(
        begun=sum(reading.begun for reading in readings), ended=decision.facts.ended, failed=decision.facts.failed
    )
    moments = timeline(watcher.progress.samples, load_at=load_at, decision=decision)
    ends = (end for reading in readings for end in (reading.stop_at, reading.load_ended_at) if end)
    load_ended = min(ends, default=decision.at)
    ticks = watcher.progress.samples
    trial = _trial(under_way, verdict_under(amplified, decision.row.verdict), services)
    return replace(
        trial,
        findings=replace(
            found.findings,
            unseen=watcher.fleet.unseen(),
            amplified=amplified,
            collection=open_collection(decision, sample.living if sample else ()),
        ),
        hang=hang,
        operations=operations,
        exposure=whole_exposure(ticks, load_at=load_at, load_ended=load_ended),
        at_hang=exposure_at_hang(ticks, load_at=load_at, decision=decision) if hang else None,
        collector=collector_of(under_way.environment.python, readings),
        longest_wait=watcher.progress.longest_wait.wait,
        timeline=moments,
        rungs=found.rungs,
    )


def _hang(
    decision: Decision, found: Investigation, load_at: float, cell: Cell, watcher: Watcher, services: TrialServices
) -> Hang:
    if decision.row.hang_class is None:
        raise ValueError(decision.row.name)
    bound = bound_of(decision, attempts=int(cell.settings.get("max_attempts", 0)))
    if wait_out_s := services.options.wait_out_s:
        recovered = watcher.until_recovered(decision, limit_s=wait_out_s)
        bound = replace(bound, recovered_after_s=recovered)
    users = int(cell.settings["users"])
    users_stuck = users if decision.facts.nobody_goes_on else decision.users_stuck
    return Hang(
        hang_class=decision.row.hang_class,
        users_stuck=users_stuck,
        users=max(users, users_stuck),
        stuck_since_s=max(0.0, decision.since - load_at),
        bound=bound,
        fingerprint=found.fingerprint,
        cause=found.findings.cause.id if found.findings.cause else "",
        modules=found.modules,
    )


def _trial(under_way: TrialInProgress, verdict: Verdict, services: TrialServices, *, reason: str = "") -> Trial:
    return Trial(
        cell_id=under_way.cell.id,
        number=under_way.number,
        verdict=verdict,
        reason=reason,
        started=under_way.started,
        seconds=time.monotonic() - under_way.began,
        python=under_way.environment.python,
        versions=under_way.environment.versions,
        evidence=under_way.folder.name,
        command=services.reproduce(under_way.cell),
        seed=services.options.of_trial(under_way.number).seed,
    )
