"""``repro blame``: finds which of the changed packages causes the hang, and since which release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options.hunt_options import (
    HuntOptions,
    check_options,
    check_python,
    experiment_of,
    hunt_store,
    hunting_options,
    said_when_cut_short,
    session_of,
    show,
)
from repro.cli.options.shared import (
    BeforeCommand,
    end_tidily_on_signals,
    factor_of,
    note,
    overrides_beside,
    reproduce,
    shared_options,
    words_of,
)
from repro.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from repro.answer import BlameRecord
    from repro.core.search.reduction import BlameStep
    from repro.model import Cell, StoredRun, Trial
    from repro.orchestration.hunt.blame import Accusation
    from repro.orchestration.hunt.ends import Side
    from repro.orchestration.hunt.mixture import Mixer
    from repro.orchestration.hunt.probes import Probe
    from repro.orchestration.preparation import Prepared
    from repro.world.runs.store import RunStore

EPILOG = """\b
Examples:
  repro blame --good-as-of 2023-02-15 --bad-as-of 2024-03-15
  repro blame --good old.txt --bad new.txt --locustfile mine.py
  repro blame --good old.txt --bad new.txt -- locust -f locustfile.py -u 50
  repro blame --good before/uv.lock --bad after/uv.lock
  repro blame --good old/bin/python --bad new/bin/python --out hunt --resume
  repro blame --good old.txt --bad new.txt --dask local:2"""

_SIDE = "a requirements file, `pip freeze`, uv.lock, pylock.toml, poetry.lock, or an environment's interpreter"
_DAY = click.DateTime(["%Y-%m-%d"])


@dataclass(frozen=True, kw_only=True)
class BlameOptions(HuntOptions):
    """The options of ``repro blame``, as click passes them."""

    good: Path | None
    bad: Path | None
    good_as_of: datetime | None
    bad_as_of: datetime | None

    @property
    def sides(self) -> tuple[Side, Side]:
        """The names of the good and the bad end."""
        from repro.orchestration.hunt.ends import Side

        return (
            Side(name="good", path=self.good, as_of=self.good_as_of.date() if self.good_as_of else None),
            Side(name="bad", path=self.bad, as_of=self.bad_as_of.date() if self.bad_as_of else None),
        )


@click.command("blame", cls=BeforeCommand, epilog=EPILOG)
@shared_options
@click.option("--good", type=click.Path(path_type=Path), metavar="PATH", help=f"Packages that do not hang: {_SIDE}.")
@click.option(
    "--bad", type=click.Path(path_type=Path), metavar="PATH", help="Packages that hang, in one of these forms."
)
@click.option(
    "--good-as-of",
    type=_DAY,
    metavar="DAY",
    help="The packages that an installation got on this day, which do not hang.",
)
@click.option(
    "--bad-as-of", type=_DAY, metavar="DAY", help="The packages that an installation got on this day, which hang."
)
@hunting_options(most_trials=200)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Find which of the changed packages cause the hang, alone or together, and since which release.

    Both ends are tested first. Then packages of the bad end replace those of the good end, until the smallest set that
    hangs is found. Each package of that set is bisected by release. At last, the smallest change that fixes the bad
    end is found.

    An EXPERIMENT may vary nothing. The default is locust-2637/single, which creates a client in every iteration.
    """
    options = BlameOptions(**given, words=words_of(ctx))
    end_tidily_on_signals()
    ctx.exit(_blame(options))


def _blame(options: BlameOptions) -> ExitCode:
    from repro.answer import BlameRecord
    from repro.orchestration.hunt.ends import mixer_of, one_cell

    _check_options(options)
    prepared = one_cell(options.request)
    if prepared.command is not None:
        note(prepared.notices)
    by_hand = frozenset(factor_of(one) for one in options.overrides)
    mixer = mixer_of(*options.sides, prepared, by_hand=by_hand, notice=lambda text: click.echo(text, err=True))
    record = BlameRecord(good=mixer.good, bad=mixer.bad)
    with _store(options, prepared, record) as store:
        accusation = _accusation(options, prepared, mixer, record, store)
        kept = tuple(probe.kept for probe in accusation.probes)
        return show(store, replace(record, answer=accusation.answer, probes=kept), accusation.probes, options)


def _accusation(
    options: BlameOptions, prepared: Prepared, mixer: Mixer, record: BlameRecord, store: RunStore
) -> Accusation:
    """The blame, what changed said at once, and each step and probe as it comes."""
    from repro.orchestration.hunt.blame import Blaming
    from repro.presentation.console import make_console
    from repro.presentation.hang.explanation import reason_of
    from repro.presentation.hunt.answers import change_text, probe_line, step_text
    from repro.presentation.live.hunt import HuntProgress
    from repro.world.environments.releases import releases

    probes: list[Probe] = []
    names: dict[str, str] = {}
    progress = HuntProgress(
        make_console(to_stderr=True), name_of=lambda cell_id: names[cell_id], most_trials=options.max_trials
    )

    def on_step(step: BlameStep) -> None:
        progress.at(step_text(step))
        progress.say(f"{'':<12} {step_text(step)}")

    def on_probe(probe: Probe) -> None:
        probes.append(probe)
        line = probe_line(probe, probe.candidate.cell.label)
        progress.probed(probe.trial.cell_id, probe.trial.number, line)

    def keep(cell: Cell, trial: Trial) -> None:
        store.add_cell(cell)
        store.add_trial(trial)

    progress.say(f"changed      {', '.join(change_text(change) for change in mixer.changes.values())}")
    with (
        said_when_cut_short(store, record, probes, options),
        progress,
        session_of(options, prepared, store, reproduce=partial(_command, options), progress=progress) as session,
    ):

        def probe(cell: Cell, number: int) -> Trial:
            names[cell.id] = cell.label
            return session.trial(cell, number, store.evidence_folder(cell.id, number))

        return Blaming(
            mixer=mixer,
            probe=probe,
            keep=keep,
            releases_of=lambda name: releases(name, python=mixer.good.python),
            confidence=options.confidence,
            most_trials=options.max_trials,
            jobs=session.slots,
            build_ahead=session.environment_of,
            cancel=session.cancel,
            reason_of=reason_of,
            tick=progress.tick,
            on_step=on_step,
            on_probe=on_probe,
        ).run(store.finished_trials())


def _check_options(options: BlameOptions) -> None:
    check_options(options)
    for side in options.sides:
        if (side.path is None) == (side.as_of is None):
            raise UsageError(
                f"{'two sets of' if side.path else 'no'} {side.name} packages were given; give one, by --{side.name} "
                f"PATH ({_SIDE}) or by --{side.name}-as-of DAY"
            )
    first, last = options.good_as_of, options.bad_as_of
    if first and last and first == last:
        raise UsageError(f"--good-as-of and --bad-as-of are the same day, {first:%Y-%m-%d}; give two")
    check_python(options, "blame builds its own environments; give an existing one as --good PYTHON or --bad PYTHON")


def _store(options: BlameOptions, prepared: Prepared, record: BlameRecord) -> RunStore:
    from repro.answer import BlameRecord
    from repro.orchestration.hunt.mixture import release_of

    def is_same(stored: StoredRun) -> bool:
        hunt = stored.hunt
        return isinstance(hunt, BlameRecord) and (hunt.good, hunt.bad) == (record.good, record.bad)

    return hunt_store(options, prepared, record, name="blame", is_same=is_same, release_of=release_of)


def _command(options: BlameOptions, cell: Cell) -> str:
    """The command that runs a cell between the two ends again, by the versions that were installed."""
    pins = [f"{name}={version}" for name, version in cell.environment.pins.items()]
    own = overrides_beside(cell.environment.pins, options.overrides)
    python = [f"python={cell.environment.python}"] if cell.environment.python else []
    return reproduce([*own, *python, *pins], experiment=experiment_of(options), again=options.again)
