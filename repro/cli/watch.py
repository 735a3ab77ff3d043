"""``repro watch``: runs a command once, unchanged, for as long as it takes, and reports when it hangs."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.attach import IN_USE, echo_document, exit_code
from repro.cli.options.effort import Duration
from repro.cli.options.shared import Command, end_tidily_on_signals
from repro.errors import UsageError

if TYPE_CHECKING:
    from repro.orchestration.watch import Hung, Watched

NOTIFY_LIMIT_S = 60.0
EPILOG = """\b
Examples:
  repro watch -- locust -f locustfile.py --headless -u 50 -t 10m
  repro watch --for 24h --on-hang restart --notify ./tell.sh -- python soak.py
  repro watch --after 30s --on-hang stop --json -- pytest tests/load
  repro watch --print-env --out seen > seen.env; repro watch --join seen

The command runs in its own environment and folder; its output is not redirected. An agent in its Python processes
records the calls of its clients. Without the agent (python -I, -E or -S) the processes are observed only from outside.

Exit codes: 0 no hang, 1 a hang was found, 3 no hang, but the command failed or ended before a second look."""


@click.command("watch", cls=Command, epilog=EPILOG, context_settings={"ignore_unknown_options": False})
@click.option(
    "--for",
    "limit_s",
    type=Duration(),
    metavar="TIME",
    help="End the command after this long (default: never).",
)
@click.option(
    "--after",
    "after_s",
    type=Duration(),
    default="10s",
    show_default=True,
    metavar="TIME",
    help="Report a hang once it has lasted this long.",
)
@click.option(
    "--stop-grace",
    "stop_grace_s",
    type=Duration(),
    default="30s",
    show_default=True,
    metavar="TIME",
    help="How long users may take to end after a stop; more than Locust's --stop-timeout.",
)
@click.option(
    "--on-hang",
    type=click.Choice(["keep", "stop", "restart"]),
    default="keep",
    show_default=True,
    help="What to do with a command that hangs.",
)
@click.option(
    "--notify",
    metavar="COMMAND",
    help="Run this command for each hang; the variable REPRO_HANG has the explanation.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder for the evidence (default: a new one under repro-runs)."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="At the end, print one JSON document on standard output; the command's output goes to standard error.",
)
@click.option(
    "--print-env",
    is_flag=True,
    help="Print the variables that load the agent into a command, and exit; --out names the agent's folder.",
)
@click.option(
    "--join",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Watch the processes that were started with the variables of this folder.",
)
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and paths in the JSON document.")
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(  # noqa: PLR0913  # one argument for each option
    ctx: click.Context,
    *,
    limit_s: float | None,
    after_s: float,
    stop_grace_s: float,
    on_hang: str,
    notify: str | None,
    out: Path | None,
    as_json: bool,
    print_env: bool,
    join: Path | None,
    no_redact: bool,
    words: tuple[str, ...],
) -> None:
    """Run a command unchanged, and watch it until it ends or hangs.

    It hangs if an event loop is blocked, or if nothing can wake its greenlets. It also hangs if calls are never
    answered, or if users are still running after a stop.
    """
    from repro.cli.options.shared import new_folder
    from repro.orchestration.watch import OnHang, WatchOptions, watch

    _check(words, on_hang=on_hang, join=join, print_env=print_env)
    folder = new_folder(out, "watch", busy=IN_USE)
    if print_env:
        _print_env(folder, as_json=as_json)
        return
    end_tidily_on_signals()
    options = WatchOptions(
        command=words,
        joined=join,
        after_s=after_s,
        stop_grace_s=stop_grace_s,
        limit_s=limit_s or float("inf"),
        on_hang=OnHang(on_hang),
        stdout=sys.stderr.fileno() if as_json else None,
    )
    folders = (folder if number == 1 else folder / f"hang-{number}" for number in itertools.count(1))
    watched = watch(options, lambda hang: _tell(hang, next(folders), notify=notify, words=words))
    if as_json:
        from repro.presentation.hang.watched import document

        echo_document(document(watched, str(folder) if watched.hang else "", words), no_redact=no_redact)
    else:
        _echo(watched)
    ctx.exit(exit_code(watched.verdict))


def _check(words: tuple[str, ...], *, on_hang: str, join: Path | None, print_env: bool) -> None:
    if print_env:
        return
    if not words and join is None:
        raise UsageError(
            "nothing to watch was given; write the command after --, such as `repro watch -- locust -f locustfile.py`"
        )
    if words and shutil.which(words[0]) is None:
        raise UsageError(f"cannot start {words[0]}: there is no such program; check its name, or give its path")
    if join is not None and (words or on_hang != "keep"):
        raise UsageError("--join watches what was started elsewhere; leave out the command and --on-hang")


def _print_env(folder: Path, *, as_json: bool) -> None:
    """The variables, with which a container needs no more than this folder at the same path."""
    from repro.world.collecting import riding

    records = riding.make_records(folder)
    found = riding.variables(records, agent=riding.copy_agent(folder), inherited={})
    lines = [f"export {name}={shlex.quote(value)}" for name, value in found.items()]
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(lines))


def _tell(hang: Hung, folder: Path, *, notify: str | None, words: tuple[str, ...]) -> None:
    from repro.core.scrubbing.terminal import for_terminal
    from repro.errors import ProcessError
    from repro.orchestration.watch import keep_hang
    from repro.presentation.console import terminal_width
    from repro.presentation.hang.watched import block

    keep_hang(hang, folder)
    text = block(hang, str(folder), words)
    shown = block(hang, str(folder), words, width=terminal_width(to_stderr=True))
    click.echo(for_terminal(f"\n{shown}\n"), err=True)
    if notify:
        from repro.world.processes import door

        try:
            done = door.run(["sh", "-c", notify], env={**os.environ, "REPRO_HANG": text}, limit_s=NOTIFY_LIMIT_S)
        except ProcessError as error:
            click.echo(f"--notify: {error}", err=True)
            return
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            click.echo(for_terminal(f"--notify ended with exit code {done.returncode}: {said[0]}"), err=True)


def _echo(watched: Watched) -> None:
    from repro.presentation.hang.watched import blindness, ended

    for line in filter(None, ["" if watched.hang else ended(watched), blindness(watched)]):
        click.echo(line, err=True)
