"""``repro merge``: combines the shards of one run."""

from __future__ import annotations

from pathlib import Path

import click

from repro.cli.options.fail_on import exit_code, fail_on_option, verdicts
from repro.cli.options.shared import Command, check_folder, echo_document
from repro.world.runs import RUNS

EPILOG = """\b
Examples:
  repro run hangs.toml --shard 1/3 --out part1    on one machine
  repro run hangs.toml --shard 2/3 --out part2    on another
  repro run hangs.toml --shard 3/3 --out part3    on a third
  repro merge part1 part2 part3 -o whole          where all three folders are
  repro merge part* -o whole --json > whole.json"""
BUSY = "it already exists; choose another folder"


@click.command("merge", cls=Command, epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), required=True, help="The merged run's folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
@fail_on_option("hang,untestable,inconclusive")
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and message bodies in the document.")
@click.pass_context
def command(
    ctx: click.Context, /, runs: tuple[str, ...], *, out: Path, as_json: bool, fail_on: str | None, no_redact: bool
) -> None:
    """Combine the shards of one run, made with `repro run --shard I/N`, into the run that one machine would have made.

    All shards must be there, each once and finished, of the same experiment and load, made with the same version of
    repro.
    """
    from repro.presentation.console import make_console, summary
    from repro.world.runs.merge import merge, read_parts
    from repro.world.runs.store import find_run

    failing = verdicts(fail_on)
    parts = read_parts([find_run(name, RUNS) for name in runs])
    check_folder("-o", out, busy=BUSY)
    with merge(parts, out) as store:
        run = store.read()
    summary(make_console(to_stderr=as_json), run)
    if as_json:
        echo_document(run, no_redact=no_redact)
    ctx.exit(exit_code(run, failing))
