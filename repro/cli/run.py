"""``repro run``: runs an experiment, or the user's own command, and prints the summary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from repro.cli.causes import CAUSES, NEWEST, check_of_causes, run_causes
from repro.cli.options.cells import RunOptions, jobs_of, run_cells
from repro.cli.options.cluster import check_dask, dask_option
from repro.cli.options.consent import agreed_budget
from repro.cli.options.cover import confirm_of, cover_notices, cover_options, cover_request, extend, is_extended
from repro.cli.options.effort import check_bounded, effort_of, effort_options
from repro.cli.options.fail_on import exit_code, fail_on_option, verdicts
from repro.cli.options.resumption import closed_on_error, new_run, resumed_run, typed_with
from repro.cli.options.shared import (
    BeforeCommand,
    Finite,
    echo_document,
    end_tidily_on_signals,
    note,
    shared_options,
    words_of,
)
from repro.errors import ExitCode, UsageError
from repro.model import CellVerdict, Effort, Shard

if TYPE_CHECKING:
    from repro.core.matrix.shards import Share
    from repro.model import StoredRun
    from repro.orchestration.preparation import Prepared
    from repro.world.runs.store import RunStore

EPILOG = """\b
Examples:
  repro run -- locust -f locustfile.py -u 50 -r 5 -t 2m
  repro run --set gevent=24.2.1,25.9.1 -- python -m load.run --queue {queue}
  repro run --queue q --bucket b --table Log:Id -- locust -f locustfile.py
  repro run --before "python seed.py" -- locust -f locustfile.py
  repro run --redirect http://localhost:9000 -- locust -f locustfile.py
  repro run --serve "python server.py {port}" \\
            --serve-url http://127.0.0.1:{port} -- locust --host {endpoint}
  repro run --locustfile mine.py --python .venv/bin/python --json > run.json

\b
Experiments:
  repro run                               the matrix of Locust issue 2637
  repro run locust-2637/crossed --trials 5 --jobs 2
  repro run --set stack=2024-03 --set client=per-iteration --set launch=cli
  repro run --set locust=2.24.0,2.32.0 --set as_of=2024-06-01
  repro run causes                        each known cause, and its fix
  repro run causes --against newest       do the fixes hold with the newest?
  repro run --out my-run --resume         continue what was interrupted

\b
Rare hangs:
  repro run --trials 20 --until all       every trial, to measure a rate
  repro run --set client=shared --soak 30m           half an hour in total
  repro run --set client=shared --rule-out 1/5000    until that is ruled out
  repro run --set amplify=none,all        make rare moments frequent
  repro run --set amplify=all --replay 7  how often seed 7 hangs again

\b
Big matrices:
  repro run big.toml --cover 2            few cells, with every pair of levels
  repro run big.toml --cover 3 --out my-run --resume    now every three levels
  repro run --trials 5 --shard 3/10 --out part3     the third of ten machines
  repro run --trials 20 --dask tcp://scheduler:8786  on a dask cluster"""


@click.command("run", cls=BeforeCommand, epilog=EPILOG)
@shared_options
@effort_options
@cover_options
@click.option("--jobs", type=click.IntRange(1, 64), metavar="N", help="Trials at once (default: half the cores).")
@click.option(
    "--shard",
    metavar="I/N",
    callback=lambda _ctx, _param, text: _shard(text),
    help="Run only share I of N of the trials; `repro merge` combines the shares.",
)
@dask_option
@click.option("--resume", is_flag=True, help="Continue the run in --out, or the latest one.")
@click.option(
    "--wait-out",
    type=Finite(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Keep a hung trial running this long, to see whether it recovers.",
)
@fail_on_option("hang,untestable,inconclusive")
@click.option("--cause", multiple=True, metavar="ID", help="With `causes`: run only this one. Repeatable.")
@click.option(
    "--against",
    type=click.Choice([NEWEST]),
    help="With `causes`: use the newest releases, and show which fix was lost and which hang came back.",
)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Run your own COMMAND, or an EXPERIMENT, and find which combinations hang, and how.

    A COMMAND (locust, python, pytest or another Python program) runs in your environment, in a copy of the current
    folder. --set PACKAGE=VERSION changes only that package. {queue}, {endpoint} and {region} in the COMMAND are
    replaced with those of the trial.

    An EXPERIMENT is a TOML file, or a name that `repro list` shows. Without either, it is locust-2637: the packages
    and settings of Locust issue 2637. `causes` runs the experiment of each known cause.

    It varies factors, such as the version of a package. Each combination of their levels is a cell. A cell is tried
    several times, in its own environment and process, against a local SQS. When a trial hangs, the evidence is kept.
    """
    options = RunOptions(**given, words=words_of(ctx))
    check_of_causes(options)
    end_tidily_on_signals()
    ctx.exit(run_causes(options) if options.experiment == CAUSES else _run(options))


def _shard(text: str | None) -> Shard | None:
    from repro.core.matrix.shards import parsed

    return None if text is None else parsed(text)


def _run(options: RunOptions) -> ExitCode:
    from repro.core.scrubbing.terminal import for_terminal
    from repro.orchestration.preparation import RunRequest, prepare
    from repro.presentation.console import make_console
    from repro.world.backends.make import check_options

    fail_on = verdicts(options.fail_on)
    options.check_backend(options.backend)
    check_dask(options, options.dask, jobs=options.jobs)
    console = make_console(to_stderr=options.as_json)
    prepared = prepare(
        RunRequest(
            experiment=options.experiment,
            overrides=options.overrides,
            trials=options.trials,
            locustfile=options.locustfile,
            python=options.python,
            backends=options.backends,
            command=options.command,
            effort=effort_of(
                until=options.until,
                soak=options.soak,
                rule_out=options.rule_out,
                trials=options.trials,
                replay=options.replay,
            ),
            provision=options.provision,
            cover=cover_request(options.cover, seed=options.seed, resume=options.resume, out=options.out),
        )
    )
    check_bounded(prepared.plan)
    confirm = confirm_of(prepared.plan, confirm=options.confirm, confidence=options.confidence)
    prepared = replace(prepared, plan=replace(prepared.plan, confirm=confirm))
    note(prepared.notices)
    whole, prepared, share = prepared, *_own(prepared, options.shard)
    note(cover_notices(whole.plan, share, jobs=jobs_of(options)))
    if share is not None and not share:
        trials = len(whole.plan.cells) * whole.plan.trials
        note([f"shard {options.shard} has none of the {trials} trials; merge it with the others anyway"])
    backends = {str(cell.settings["backend"]) for cell in prepared.plan.cells}
    _check_is_used(options, backends)
    check_options(
        backends,
        endpoint_url=options.endpoint_url,
        region=options.region,
    )
    budget = agreed_budget(
        prepared.plan,
        region=options.region,
        endpoint_url=options.endpoint_url,
        most_requests=options.max_requests,
        yes=options.yes,
    )
    store = _store(options, whole)
    try:
        run_cells(options, prepared, store, console, request_budget=budget, share=share)
        store.finish()
    except KeyboardInterrupt:
        step = typed_with(["--out", str(store.folder), "--resume"], flags={"--resume"}, values={"--out"})
        click.echo(for_terminal(f"Finished trials are kept; continue with: {step}"), err=True)
        raise
    finally:
        run = store.read()
        store.close()
    return _show(run, options, console, fail_on, effort=prepared.plan.effort)


def _own(prepared: Prepared, shard: Shard | None) -> tuple[Prepared, Share | None]:
    """What of it this machine runs: the cells that have a trial in its shard, and which trials; all without one.

    Raises:
        UsageError: nobody knows how many trials there will be to share.
    """
    from repro.core.matrix.shards import share

    if shard is None:
        return prepared, None
    plan = prepared.plan
    if plan.effort.is_open_ended:
        raise UsageError("--shard goes with a number of --trials; leave --soak and --rule-out out")
    own = share(plan.cells, trials=plan.trials, shard=shard)
    return replace(prepared, plan=replace(plan, cells=tuple(cell for cell in plan.cells if cell.id in own))), own


def _check_is_used(options: RunOptions, backends: set[str]) -> None:
    """Refuse an option that would say nothing: whoever gave it believes that another backend is loaded than is."""
    if options.endpoint_url is not None and not backends & {"endpoint", "aws"}:
        raise UsageError("--endpoint-url goes with --backend endpoint or aws; add one of them, or leave it out")
    for name, value in (("--region", options.region), ("--profile", options.profile)):
        if value is not None and "aws" not in backends:
            raise UsageError(f"{name} goes with --backend aws; add it, or leave {name} out")


def _store(options: RunOptions, prepared: Prepared) -> RunStore:
    def check(stored: StoredRun) -> None:
        is_same = {cell.id for cell in stored.plan.cells} == {cell.id for cell in prepared.plan.cells}
        if not is_same and not (options.cover and is_extended(stored, prepared.plan)):
            raise UsageError(
                f"--resume: the run in {stored.folder} has other cells; "
                f"type the command it was started with: {stored.command}"
            )
        is_same_share = options.shard is None or stored.plan.trials == prepared.plan.trials
        if stored.shard != options.shard or not is_same_share:
            raise UsageError(
                f"--resume: the run in {stored.folder} is {_share_text(stored)}; "
                f"type the command it was started with: {stored.command}"
            )

    if options.resume:
        store = resumed_run(options.out, prepared, check=check)
        with closed_on_error(store):
            extend(store, prepared)
        return store
    return new_run(options, prepared, name=prepared.plan.experiment, shard=options.shard)


def _share_text(stored: StoredRun) -> str:
    if stored.shard is None:
        return "not a shard"
    return f"shard {stored.shard} of {stored.plan.trials} trials for each cell"


def _show(
    run: StoredRun, options: RunOptions, console: Any, fail_on: tuple[CellVerdict, ...], *, effort: Effort
) -> ExitCode:
    from repro.presentation.console import summary
    from repro.presentation.effort import short_sentences

    summary(console, run)
    short = tuple(short_sentences(run.cells, effort))
    note(short)
    if options.as_json:
        echo_document(run, no_redact=options.no_redact)
    code = exit_code(run, fail_on)
    return ExitCode.INCONCLUSIVE if short and code is ExitCode.NO_HANG else code
