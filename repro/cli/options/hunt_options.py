"""What ``bisect`` and ``blame`` share: options, the run's folder, dropped probes, and how they end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options.cluster import check_dask, dask_option, session_on
from repro.cli.options.resumption import closed_on_error, command_in, new_run, resumed_run, typed_with
from repro.cli.options.shared import Finite, SharedOptions, backend_options, default_jobs, echo_document
from repro.errors import ExitCode, ReproError, UsageError
from repro.model import TrialOptions
from repro.world.shipped.names import SINGLE

if TYPE_CHECKING:
    from repro.answer import HuntRecord
    from repro.model import Cell, StoredRun, Trial
    from repro.orchestration.hunt.probes import Probe
    from repro.orchestration.preparation import Prepared, RunRequest
    from repro.orchestration.session import Session
    from repro.orchestration.workers.address import ClusterAddress
    from repro.orchestration.workers.session import WorkersSession
    from repro.presentation.live.hunt import HuntProgress
    from repro.world.runs.store import RunStore


@dataclass(frozen=True, kw_only=True)
class HuntOptions(SharedOptions):
    """The options of a hunt, as click passes them."""

    confidence: float
    max_trials: int
    jobs: int | None
    dask: ClusterAddress | None
    resume: bool
    undo: int
    dropped: tuple[str, ...]
    show_log: bool

    @property
    def request(self) -> RunRequest:
        """The run whose only cell is varied."""
        from repro.orchestration.preparation import RunRequest

        return RunRequest(
            experiment=experiment_of(self),
            overrides=self.overrides,
            locustfile=self.locustfile,
            python=self.python,
            backends=self.backends,
            command=self.command,
            provision=self.provision,
        )


def hunting_options(*, most_trials: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a hunt; ``most_trials`` is the default of ``--max-trials``."""
    options = (
        click.option(
            "--confidence",
            type=Finite(0.5, 0.9999),
            metavar="P",
            default=0.95,
            show_default=True,
            help="How sure the answer must be; more takes more trials.",
        ),
        click.option(
            "--max-trials",
            type=click.IntRange(2),
            metavar="N",
            default=most_trials,
            show_default=True,
            help="Give up after this many trials.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1, 64),
            metavar="N",
            help="Trials at once, where that helps (default: half the cores).",
        ),
        dask_option,
        click.option("--resume", is_flag=True, help="Continue the search in --out, or the latest one."),
        click.option("--undo", count=True, help="With --resume: first forget the last trial. Repeatable."),
        click.option(
            "--drop",
            "dropped",
            multiple=True,
            metavar="RELEASE[/N]",
            help="With --resume: forget all trials of a release (or of a cell, by its id), or only the Nth. "
            "Repeatable.",
        ),
        click.option("--log", "show_log", is_flag=True, help="At the end, print each trial as a command."),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def check_options(options: HuntOptions) -> None:
    """Refuse options that no hunt can use."""
    options.check_backend(options.backend)
    check_dask(options, options.dask, jobs=options.jobs)
    if (options.undo or options.dropped) and not options.resume:
        raise UsageError(
            "--undo and --drop forget probes of an earlier search; add --resume, and --out with its folder"
        )
    if options.backend == "aws":
        raise UsageError("bisect and blame make too many requests for a real account; use --backend moto or ministack")


def check_python(options: HuntOptions, name: str) -> None:
    """Refuse ``--python`` without a command: its environment must not change, and a hunt changes packages."""
    if options.python and options.words is None:
        raise UsageError(name)


def experiment_of(options: HuntOptions) -> str | None:
    """The experiment's name, for the command that runs a cell again."""
    return options.experiment if options.words is not None else options.experiment or SINGLE


# The run


@contextmanager
def session_of(
    options: HuntOptions,
    prepared: Prepared,
    store: RunStore,
    *,
    reproduce: Callable[[Cell], str],
    progress: HuntProgress,
) -> Iterator[Session | WorkersSession]:
    """The session that runs the probes; ``reproduce`` gives the command that runs a cell again."""
    from repro.orchestration.session import SessionOptions

    session_options = SessionOptions(
        TrialOptions(
            locustfile=prepared.scenario.locustfile,
            seed=options.seed,
            command=command_in(store, prepared),
            provision=prepared.provision,
        ),
        jobs=options.jobs or default_jobs(),
        backend=backend_options(endpoint_url=options.endpoint_url, region=None, profile=None),
        reproduce=reproduce,
        on_build=progress.under_way.on_build,
        on_built=progress.under_way.on_built,
        on_status=progress.under_way.on_status,
        on_moved=lambda text: progress.say(f"environment  {text}"),
    )
    with session_on(
        prepared.plan, session_options, options.dask, on_note=lambda text: progress.say(f"workers      {text}")
    ) as session:
        store.keep_machines(session.machines)
        try:
            yield session
        finally:
            store.keep_machines(session.machines)


def hunt_store(
    options: HuntOptions,
    prepared: Prepared,
    hunt: HuntRecord,
    *,
    name: str,
    is_same: Callable[[StoredRun], bool],
    release_of: Callable[[Cell], str | None],
) -> RunStore:
    """The store of a new or a resumed hunt, without the probes that ``--undo`` and ``--drop`` name.

    A new one knows its cells as a bisection's are planned; those of a blame are added as they are made. ``release_of``
    is what a cell is hunted as.

    Raises:
        UsageError: ``is_same`` says that it is another hunt, or its load has changed, or there is no such probe.
    """
    from repro.answer import BlameRecord

    if options.resume:
        store = resumed_run(options.out, prepared, check=lambda stored: check_is_same(stored, is_same=is_same))
        with closed_on_error(store):
            _drop_probes(store, options, release_of=release_of)
        return store
    plan = replace(prepared.plan, cells=()) if isinstance(hunt, BlameRecord) else prepared.plan
    store = new_run(options, prepared, name=name, plan=plan)
    with closed_on_error(store):
        store.set_hunt(hunt)
    return store


def check_is_same(stored: StoredRun, *, is_same: Callable[[StoredRun], bool]) -> None:
    """Refuse to resume a hunt with other options.

    Raises:
        UsageError: what was kept of it is not what is asked for.
    """
    if not is_same(stored):
        raise UsageError(
            f"--resume: {stored.folder} belongs to another search; type the command it was started with: "
            f"{stored.command}"
        )


# Probes that are to be forgotten


@dataclass(frozen=True)
class Dropped:
    """What ``--drop`` names: a release or a cell, and the number of a trial, or None for all of them."""

    typed: str
    name: str
    number: int | None = None

    @classmethod
    def read(cls, typed: str) -> Dropped:
        """Parse ``RELEASE[/N]``."""
        release, sign, number = typed.rpartition("/")
        return cls(typed, release, int(number)) if sign and number.isdecimal() else cls(typed, typed)


def _drop_probes(store: RunStore, options: HuntOptions, *, release_of: Callable[[Cell], str | None]) -> None:
    """Forget the probes that ``--undo`` and ``--drop`` name, and say which; ``release_of`` is what a cell is hunted as.

    Raises:
        UsageError: there is no such probe.
    """
    cells = {result.cell.id: result.cell for result in store.read().cells}
    for dropped in map(Dropped.read, options.dropped):
        named = {cell.id for cell in cells.values() if dropped.name in {cell.id, cell.label, release_of(cell)}}
        wanted = [
            trial
            for trial in store.finished_trials()
            if trial.cell_id in named and dropped.number in {None, trial.number}
        ]
        if not wanted:
            raise UsageError(f"--drop {dropped.typed}: this search made no such probe; --log lists them")
        for trial in wanted:
            _drop(store, cells[trial.cell_id], trial)
    for _ in range(options.undo):
        trials = store.finished_trials()
        if not trials:
            raise UsageError("--undo: no probe is left to forget; leave --undo out")
        last = max(trials, key=lambda trial: trial.started)
        _drop(store, cells[last.cell_id], last)


def _drop(store: RunStore, cell: Cell, trial: Trial) -> None:
    store.drop_trial(trial.cell_id, trial.number)
    click.echo(f"forgotten    {cell.label}, trial {trial.number}: {trial.verdict}", err=True)


# The end


@contextmanager
def said_when_cut_short(
    store: RunStore, hunt: HuntRecord, probes: Sequence[Probe], options: HuntOptions
) -> Iterator[None]:
    """Print how to continue a hunt that did not finish, and its JSON document in any case."""
    try:
        yield
    except (KeyboardInterrupt, ReproError) as error:
        kept = len(store.finished_trials())
        made = tuple(probe.kept for probe in probes)
        store.set_hunt(replace(hunt, probes=made, cut_short=str(error) or "interrupted"))
        if options.as_json:
            echo_document(store.read(), no_redact=options.no_redact)
        click.echo(
            f"{kept} probe{' is' if kept == 1 else 's are'} kept; continue with: {_resuming_line(store.folder)}",
            err=True,
        )
        raise


def show(store: RunStore, hunt: HuntRecord, probes: Sequence[Probe], options: HuntOptions) -> ExitCode:
    """Store a hunt's answer, and print it as text or as JSON."""
    from repro.answer import AnswerKind
    from repro.core.scrubbing.terminal import for_terminal
    from repro.presentation.console import terminal_width
    from repro.presentation.hunt.answers import block_of

    store.set_hunt(hunt)
    store.finish()
    run = store.read()
    block = block_of(hunt, run.cells, command=run.command, width=terminal_width(to_stderr=options.as_json))
    click.echo(for_terminal(block), err=options.as_json)
    if options.show_log:
        for probe in probes:
            click.echo(for_terminal(f"{probe.trial.command}  # {probe.trial.verdict}"), err=options.as_json)
    if options.as_json:
        echo_document(run, no_redact=options.no_redact)
    report = shlex.join(["repro", "report", str(store.folder)])
    click.echo(for_terminal(f"Evidence: {store.folder}\nNext:     {report}"), err=True)
    if hunt.answer is None or hunt.answer.kind is AnswerKind.UNKNOWN:
        return ExitCode.INCONCLUSIVE
    return ExitCode.HANG if any(probe.hang for probe in hunt.probes) else ExitCode.NO_HANG


def _resuming_line(folder: Path) -> str:
    """What was typed, as it must be typed to go on."""
    more = ["--out", str(folder), "--resume"]
    return typed_with(more, flags={"--undo", "--resume"}, values={"--drop", "--out"})
