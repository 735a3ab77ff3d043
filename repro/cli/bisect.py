"""``repro bisect``: finds the release, or the day, since which it hangs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from repro.cli.completion import words
from repro.cli.options.hunt_options import (
    HuntOptions,
    check_is_same,
    check_options,
    check_python,
    experiment_of,
    hunt_store,
    hunting_options,
    said_when_cut_short,
    session_of,
    show,
)
from repro.cli.options.resumption import resumed_folder
from repro.cli.options.shared import (
    BeforeCommand,
    assignments_of,
    end_tidily_on_signals,
    note,
    overrides_beside,
    reproduce,
    shared_options,
    words_of,
)
from repro.errors import ExitCode

if TYPE_CHECKING:
    from repro.answer import BisectionRequest, HuntedRange
    from repro.model import Cell, StoredRun
    from repro.orchestration.hunt.hunt import Belief, Found
    from repro.orchestration.hunt.probes import Probe
    from repro.orchestration.preparation import Prepared
    from repro.world.runs.store import RunStore

EPILOG = """\b
Examples:
  repro bisect urllib3 --good 1.26.14 --bad 2.2.1 --set gevent=24.2.1
  repro bisect gevent --find fixed --set locust=2.24.0 --set urllib3=2.2.1
  repro bisect gevent --good 23.9.1 --bad 24.2.1 -- locust -f locustfile.py
  repro bisect --date 2023-02-15..2024-03-15
  repro bisect urllib3 --good 1.26.14 --bad 2.2.1 --out hunt --resume --undo
  repro bisect gevent --find fixed --dask local:4      on four dask workers"""


@dataclass(frozen=True, kw_only=True)
class BisectOptions(HuntOptions):
    """The options of ``repro bisect``, as click passes them."""

    package: str | None
    good: str | None
    bad: str | None
    find: str
    days: str | None
    pre: bool
    yanked: bool

    @property
    def asked(self) -> BisectionRequest:
        """What distinguishes this hunt from others with the same plan."""
        from repro.answer import BisectionRequest, Direction

        return BisectionRequest(
            package=self.package,
            good=self.good,
            bad=self.bad,
            find=Direction(self.find),
            days=self.days,
            pre=self.pre,
            yanked=self.yanked,
        )


@click.command("bisect", cls=BeforeCommand, epilog=EPILOG)
@click.argument("package", required=False, shell_complete=words.packages)
@shared_options
@click.option("--good", metavar="VERSION", help="A release that does not hang.")
@click.option("--bad", metavar="VERSION", help="A release that hangs.")
@click.option(
    "--find",
    type=click.Choice(["bad", "fixed"]),
    default="bad",
    show_default=True,
    help="bad: the first release that hangs. fixed: the first that does not.",
)
@click.option(
    "--date",
    "days",
    metavar="GOOD..BAD",
    help="Find the first day on which newly installed packages hang.",
)
@click.option("--pre", is_flag=True, help="Include pre-releases.")
@click.option("--yanked", is_flag=True, help="Include withdrawn (yanked) releases.")
@hunting_options(most_trials=200)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Find the first release of PACKAGE, or the first day, that hangs. Works for intermittent hangs, too.

    Both ends are tested first. Other packages stay as --set says, or are the newest. Without --good or --bad, that
    end is searched for, starting from the other one. Without both, the releases since 2023 are searched.

    An EXPERIMENT may vary nothing else. The default is locust-2637/single, which creates a client in every iteration.
    """
    options = BisectOptions(**given, words=words_of(ctx))
    if options.days and options.package and not options.experiment:  # `repro bisect --date A..B EXPERIMENT`
        options = replace(options, package=None, experiment=options.package)
    end_tidily_on_signals()
    ctx.exit(_bisect(options))


def _bisect(options: BisectOptions) -> ExitCode:
    from repro.answer import BisectionRecord
    from repro.orchestration.hunt.ranges import prepared_for

    _check_options(options)
    hunted = _range(options)
    prepared = prepared_for(hunted, options.request)
    if prepared.command is not None:
        note(prepared.notices)
    with _store(options, prepared, hunted) as store:
        found = _found(options, prepared, hunted, store)
        kept = tuple(probe.kept for probe in found.probes)
        record = BisectionRecord(hunted=hunted, answer=found.answered(hunted.factor), probes=kept)
        return show(store, record, found.probes, options)


def _found(options: BisectOptions, prepared: Prepared, hunted: HuntedRange, store: RunStore) -> Found:
    """The hunt, each probe said as it ends."""
    from repro.answer import BisectionRecord
    from repro.orchestration.hunt.hunt import Hunt
    from repro.orchestration.hunt.ranges import candidates_of
    from repro.presentation.console import make_console
    from repro.presentation.hang.explanation import reason_of
    from repro.presentation.hunt.answers import belief_text, probe_line
    from repro.presentation.live.hunt import HuntProgress

    probes: list[Probe] = []
    names = {cell.id: f"{hunted.factor} {cell.factors[hunted.factor]}" for cell in prepared.plan.cells}
    progress = HuntProgress(
        make_console(to_stderr=True), name_of=lambda cell_id: names[cell_id], most_trials=options.max_trials
    )

    def say(probe: Probe, belief: Belief) -> None:
        probes.append(probe)
        likeliest = belief_text(belief.release, belief.probability)
        progress.at(likeliest)
        line = probe_line(probe, f"{probe.candidate.name:<12} {likeliest}")
        progress.probed(probe.trial.cell_id, probe.trial.number, line)

    with (
        said_when_cut_short(store, BisectionRecord(hunted=hunted), probes, options),
        progress,
        session_of(options, prepared, store, reproduce=partial(_command, options), progress=progress) as session,
    ):
        return Hunt(
            candidates=candidates_of(hunted, prepared.plan.cells),
            probe=lambda cell, number: session.trial(cell, number, store.evidence_folder(cell.id, number)),
            keep=store.add_trial,
            direction=hunted.asked.find,
            confidence=options.confidence,
            most_trials=options.max_trials,
            jobs=session.slots,
            window=hunted.window,
            build_ahead=session.environment_of,
            cancel=session.cancel,
            tick=progress.tick,
            reason_of=reason_of,
            on_probe=say,
        ).run(store.finished_trials())


def _check_options(options: BisectOptions) -> None:
    check_options(options)
    check_python(options, "--python uses an environment unchanged, but bisect must change it; use --set python=VERSION")


def _range(options: BisectOptions) -> HuntedRange:
    """What is hunted; of a resumed hunt what was kept, whatever the index says by now."""
    from repro.answer import BisectionRecord
    from repro.orchestration.hunt.ranges import range_of
    from repro.world.runs.store import read_run

    if options.resume:
        stored = read_run(resumed_folder(options.out))
        kept = stored.hunt.hunted if isinstance(stored.hunt, BisectionRecord) else None
        if kept is not None:
            check_is_same(stored, is_same=lambda _: kept.asked == options.asked)
            return kept
    return range_of(options.asked, options.request)


def _store(options: BisectOptions, prepared: Prepared, hunted: HuntedRange) -> RunStore:
    from repro.answer import BisectionRecord

    def is_same(stored: StoredRun) -> bool:
        return {result.cell.id for result in stored.cells} == {cell.id for cell in prepared.plan.cells}

    return hunt_store(
        options,
        prepared,
        BisectionRecord(hunted=hunted),
        name=f"bisect-{hunted.factor}",
        is_same=is_same,
        release_of=lambda cell: str(cell.factors[hunted.factor]),
    )


def _command(options: BisectOptions, cell: Cell) -> str:
    """The command that runs the cell of one release again."""
    own = assignments_of(cell)
    kept = overrides_beside(own, options.overrides)
    return reproduce([*kept, *own.values()], experiment=experiment_of(options), again=options.again)
