"""What ``bisect`` and ``blame`` share: the options of a hunt, its folder, dropped probes, its end and its untimely end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options import RUNS, Finite, echo_document
from repro.cli.resumption import typed_without
from repro.errors import ReproError, UsageError

if TYPE_CHECKING:
    from repro.model import Cell, StoredRun, Trial
    from repro.orchestration.probes import Probe
    from repro.world.runs.store import RunStore


def hunting_options(*, most_trials: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a hunt, ``most_trials`` being where it gives up unless told otherwise."""
    options = (
        click.option("--confidence", type=Finite(0.5, 0.9999), default=0.95, show_default=True),
        click.option("--max-trials", type=click.IntRange(2), default=most_trials, show_default=True, help="Give up after so many."),
        click.option("--jobs", type=click.IntRange(1, 64), help="Probes at once, where more than one tells something; half the cores when left out."),
        click.option("--resume", is_flag=True, help="Go on with the hunt in --out, or with the latest one."),
        click.option("--undo", count=True, help="With --resume: forget the last probe first; twice for the last two."),
        click.option("--drop", "dropped", multiple=True, metavar="RELEASE[/N]", help="With --resume: forget the trials of a release (or of a cell, by its id), or the Nth alone. Repeatable."),
        click.option("--log", "show_log", is_flag=True, help="Print the probes as commands at the end."),
    )  # fmt: skip

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def check_options(given: Mapping[str, Any]) -> None:
    """Refuse what no hunt can do."""
    if (given["undo"] or given["dropped"]) and not given["resume"]:
        raise UsageError(
            "--undo and --drop forget probes of a hunt that goes on; add --resume, and --out with its folder"
        )
    if given["backend"] == "aws":
        raise UsageError("a hunt makes too many requests for a real account; use --backend moto or ministack")


def resumed_folder(given: Mapping[str, Any]) -> Path:
    """The folder of the hunt that is to go on."""
    from repro.world.runs.store import find_run

    return Path(given["out"] or find_run(None, RUNS))


def check_is_same(stored: StoredRun, kept: object, asked: object) -> None:
    """Refuse to go on with a hunt as another one.

    Raises:
        UsageError: what was kept of it is not what is asked for.
    """
    if kept != asked:
        raise UsageError(f"--resume: {stored.folder} is another hunt; type what it was made with: {stored.command}")


def drop_probes(store: RunStore, given: Mapping[str, Any]) -> None:
    """Forget the probes that ``--undo`` and ``--drop`` name, and say which.

    Raises:
        UsageError: there is no such probe.
    """
    cells = {result.cell.id: result.cell for result in store.read().cells}
    for name in given["dropped"]:
        wanted = [trial for trial in store.finished_trials() if _is_named(cells[trial.cell_id], trial, name)]
        if not wanted:
            raise UsageError(f"--drop {name}: this hunt has no such probe; --log lists them")
        for trial in wanted:
            _drop(store, cells[trial.cell_id], trial)
    for _ in range(given["undo"]):
        trials = store.finished_trials()
        if not trials:
            raise UsageError("--undo: this hunt has no probe left")
        last = max(trials, key=lambda trial: trial.started)
        _drop(store, cells[last.cell_id], last)


def _is_named(cell: Cell, trial: Trial, name: str) -> bool:
    release, sign, number = name.rpartition("/")
    if sign and number.isdecimal():
        return trial.number == int(number) and _is_named(cell, trial, release)
    return name in {cell.id, cell.label, cell.label.rpartition("=")[2]}


def _drop(store: RunStore, cell: Cell, trial: Trial) -> None:
    store.drop_trial(trial.cell_id, trial.number)
    click.echo(f"forgotten    {cell.label}, trial {trial.number}: {trial.verdict}", err=True)


@contextmanager
def said_when_cut_short(store: RunStore, probes: Sequence[Probe], *, as_json: bool, no_redact: bool) -> Iterator[None]:  # fmt: skip
    """Say how to go on with a hunt that does not come to its end, with its one JSON document all the same."""
    try:
        yield
    except (KeyboardInterrupt, ReproError) as error:
        kept = len(store.finished_trials())
        sentence = str(error) or "interrupted"
        show_document(
            store,
            probes,
            {"kind": "unknown", "confidence": 0.0, "sentence": sentence},
            as_json=as_json,
            no_redact=no_redact,
        )
        click.echo(
            f"{kept} probe{' is' if kept == 1 else 's are'} kept; go on with: {resuming_line(store.folder)}", err=True
        )
        raise


def show_document(store: RunStore, probes: Sequence[Probe], answer: Mapping[str, object], *, as_json: bool, no_redact: bool, **more: object) -> None:  # fmt: skip
    """Keep the answer with the run, and print the JSON document where it was asked for."""
    from repro.orchestration.answers import documents_of

    store.set_hunt({**(store.read().hunt or {}), "answer": answer, "probes": documents_of(probes), **more})
    if as_json:
        echo_document(store.read(), no_redact=no_redact)


def show_log(probes: Sequence[Probe], *, to_stderr: bool) -> None:
    """The probes as commands, with what each came to."""
    from repro.core.scrubbing.terminal import for_terminal

    for probe in probes:
        click.echo(for_terminal(f"{probe.trial.command}  # {probe.trial.verdict}"), err=to_stderr)


def resuming_line(folder: Path) -> str:
    """What was typed, as it must be typed to go on."""
    typed = typed_without(flags={"--undo", "--resume"}, values={"--drop", "--out"})
    return f"{typed} {shlex.join(['--out', str(folder), '--resume'])}"


def report_line(folder: Path) -> str:
    """What to type to read a hunt's report."""
    return shlex.join(["repro", "report", str(folder)])
