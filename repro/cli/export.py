"""``repro export``: one file that shows a hang, run once more to prove it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from repro.cli.options import RUNS
from repro.errors import ExitCode, UsageError

EPILOG = """\b
Examples:
  repro export -o bug                      the latest run's first hung cell
  repro export my-run 3f9c2a -o bug        the cell whose id begins so
  cd bug && uv run reproduce.py            what a maintainer types"""


@click.command("export", epilog=EPILOG)
@click.argument("run", required=False)
@click.argument("cell", required=False)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder for reproduce.py and its README.",
)
@click.option(
    "--proof", "runs", type=click.IntRange(1, 100), default=5, show_default=True, help="Runs of the finished file."
)
@click.option("--no-reduce", is_flag=True, help="Keep all pins and settings: quicker, and a longer file.")
@click.pass_context
def command(
    ctx: click.Context, /, run: str | None, cell: str | None, folder: Path, runs: int, *, no_reduce: bool
) -> None:
    """Write one self-contained file that shows the hang of CELL in RUN, and run it to prove it.

    Pins and settings that the hang does not need are dropped, each tried by running the file without it.
    """
    from repro.orchestration.exporting import Workshop, choose, recipe_of
    from repro.presentation.reproducer import readme, reproducer
    from repro.world import processes
    from repro.world.store import find_run, open_run

    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"-o {folder}: the folder is not empty; choose another")
    store = open_run(find_run(run, RUNS))
    stored = store.read()
    store.close()
    result, trial = choose(stored, cell)
    recipe = recipe_of(
        result, trial, locustfile=_locustfile(stored.plan.scenario), grace_s=stored.plan.limits.stop_grace_s
    )
    click.echo(f"exporting {result.cell.label}", err=True)
    workshop = Workshop(render=reproducer, say=lambda text: click.echo(text, err=True))
    with processes.warded():
        if not no_reduce:
            recipe = workshop.reduce(recipe, explicit=frozenset(result.cell.environment.pins))
        exported = workshop.prove(recipe, folder, runs=runs)
    (folder / "README.md").write_text(readme(recipe, seen=exported.seen, command=trial.command), "utf-8")
    click.echo(f"{folder / 'reproduce.py'}: {exported.lines} lines, {len(recipe.pins)} pins, {exported.seen}")
    if not exported.has_hung:
        sys.stderr.write(
            "The file does not show the hang here: do not send it. Its last words:\n"
            + exported.proof[-1].output[-1500:]
        )
        ctx.exit(ExitCode.INCONCLUSIVE)


def _locustfile(scenario: str) -> Path:
    from repro.world.scenarios import named

    return named(scenario, where="the run").locustfile
