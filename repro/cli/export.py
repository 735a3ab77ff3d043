"""``repro export``: writes one file that shows a hang, and runs it to prove it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.completion import words
from repro.cli.options.shared import LONGEST_SHOWN, Command, check_folder, end_tidily_on_signals
from repro.errors import ExitCode, UsageError
from repro.world.runs import RUNS

if TYPE_CHECKING:
    from repro.core.search.shrinking import Recipe
    from repro.model import Cell, StoredRun
    from repro.world.runs.kept.locustfile import Locustfile

FILE = "reproduce.py"

EPILOG = """\b
Examples:
  repro export -o bug                   the latest run's first hung cell
  repro export my-run 3f9c2a -o bug     the cell whose id begins with 3f9c2a
  cd bug && uv run reproduce.py         what a maintainer types"""


@click.command("export", cls=Command, epilog=EPILOG)
@click.argument("run", required=False, shell_complete=words.runs)
@click.argument("cell", required=False, shell_complete=words.cells)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder for reproduce.py and its README.",
)
@click.option(
    "--proof",
    "runs",
    type=click.IntRange(0, 100),
    default=5,
    show_default=True,
    help="How often to run the finished file.",
)
@click.option("--no-reduce", is_flag=True, help="Keep all pins and settings: quicker, but the file is longer.")
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and message bodies.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    run: str | None,
    cell: str | None,
    folder: Path,
    runs: int,
    *,
    no_reduce: bool,
    no_redact: bool,
) -> None:
    """Write one self-contained file that shows the hang of CELL in RUN, and run it to prove it.

    Pins and settings that the hang does not need are removed: the file is run without each of them. Strings and
    comments of a locustfile or program are redacted, as in a report; the redacted file is the one that is run.
    """
    from repro.core.scrubbing.terminal import for_terminal
    from repro.orchestration.export import Workshop, choose, recipe_of
    from repro.presentation.hang.explanation import title_of
    from repro.presentation.reports.reproducer import readme, reproducer
    from repro.world.processes import door
    from repro.world.runs.store import find_run, read_run
    from repro.world.runs.this_machine import of_this_machine

    end_tidily_on_signals()
    _check_output(folder)
    stored = read_run(find_run(run, RUNS))
    result, trial = choose(stored, cell)
    recipe = recipe_of(result, trial, title=title_of(trial), load=_load(stored, result.cell), run=stored)
    redact = (lambda text: text) if no_redact else of_this_machine(run=stored.folder, machines=stored.machines)
    recipe = _redacted(recipe, redact)

    def say(text: str) -> None:
        click.echo(for_terminal(text), err=True)

    say(f"exporting {result.cell.label}")
    workshop = Workshop(render=reproducer, say=say)
    check_folder("-o", folder, busy="the folder is not empty; choose another")
    with door.warded():
        if not no_reduce:
            recipe = workshop.reduce(recipe, explicit=frozenset(result.cell.environment.pins))
        exported = workshop.prove(recipe, folder, runs=runs)
    beside = readme(recipe, seen=exported.seen, has_hung=exported.has_hung, command=redact(trial.command))
    (folder / "README.md").write_text(beside, "utf-8")
    click.echo(f"{folder / FILE}: {exported.lines} lines, {len(recipe.pins)} pins, {exported.seen}")
    if exported.has_hung:
        _keep(folder / FILE, stored.folder)
        return
    last = exported.proof[-1].output if exported.proof else "(it was not run: --proof 0)"
    say(f"The file does not show the hang here: do not send it. Its last output:\n{last[-1500:]}")
    ctx.exit(ExitCode.INCONCLUSIVE)


def _check_output(folder: Path) -> None:
    """Refuse at once what is there; the folder is made once there is something to put into it."""
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"-o {folder}: it is not a folder; choose another")
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"-o {folder}: the folder is not empty; choose another")
    except OSError as error:
        raise UsageError(f"-o {str(folder)[:LONGEST_SHOWN]}: {error.strerror}; choose another folder") from error


def _load(run: StoredRun, cell: Cell) -> Locustfile | None:
    """The run's locustfile, None when it is the report's pattern as it is by default, which the file has by itself."""
    from repro.world.runs.kept.load import read_load, read_program
    from repro.world.runs.kept.locustfile import COPY, kept, read_locustfile
    from repro.world.shipped.names import DEFAULT
    from repro.world.shipped.scenarios import named

    own = kept(run.folder)
    try:
        if run.plan.scenario == DEFAULT and (own is None or _is_pattern(own)) and not _is_varied(cell):
            return None
        if run.typed is not None and not run.typed.is_locust:
            if run.typed_in is None:
                raise UsageError("the run is of an older version, which kept no program; make it again")
            return read_program(run.folder / COPY, run.typed, run.typed_in)
        if run.typed_in is not None and run.typed_in.locustfile:
            return read_load(run.folder / COPY, run.typed_in)
        if run.typed is not None and run.typed.is_locust:
            raise UsageError(
                "the command has several locustfiles, and one file cannot hold them; run it again with the one that "
                "hangs"
            )
        return read_locustfile(own or named(run.plan.scenario, where="the run").locustfile)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"the locustfile of the run is not Python for this interpreter: {error}") from error


def _is_varied(cell: Cell) -> bool:
    """Whether the cell has a level of the pattern's own factors that is not the default."""
    from repro.core.experiment.factors.catalogue import COMMON
    from repro.world.shipped.names import DEFAULT
    from repro.world.shipped.scenarios import named

    own = named(DEFAULT, where="the run").info.catalogue
    return any(
        cell.settings.get(factor.name, factor.default) != factor.default
        for factor in own
        if factor not in COMMON.settings
    )


def _is_pattern(path: Path) -> bool:
    from repro.world.shipped.names import DEFAULT
    from repro.world.shipped.scenarios import named

    return path.read_bytes() == named(DEFAULT, where="the run").locustfile.read_bytes()


def _redacted(recipe: Recipe, redact: Callable[[str], str]) -> Recipe:
    """The recipe as it may leave the machine."""
    from repro.presentation.reports.reproducer import redacted_recipe

    try:
        return redacted_recipe(recipe, redact)
    except ValueError as error:
        raise UsageError(
            f"the locustfile cannot be redacted ({error}); read it, and export it with --no-redact"
        ) from error


def _keep(file: Path, run: Path) -> None:
    """A copy in the run's folder, where ``repro report`` finds it; a folder that cannot be written has none."""
    with contextlib.suppress(OSError):
        shutil.copyfile(file, run / FILE)
