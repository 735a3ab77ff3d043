"""``repro watch``: run somebody's command once, as it is, for as long as it takes, and tell when it hangs."""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.attach import IN_USE, echo_document, exit_code
from repro.cli.effort import Duration
from repro.cli.options import Command, end_tidily_on_signals
from repro.errors import UsageError

if TYPE_CHECKING:
    from repro.orchestration.attachment import Attached
    from repro.orchestration.watch import Watched

NOTIFY_LIMIT_S = 60.0
EPILOG = """\b
Examples:
  repro watch -- locust -f locustfile.py --headless -u 50 -t 10m
  repro watch --for 24h --on-hang restart --notify 'echo "$REPRO_HANG" | mail -s hang me@example.com' -- python soak.py
  repro watch --after 30s --on-hang stop --json -- pytest tests/load

\b
The command runs in its own environment and folder, with its own output; nothing is redirected and nothing runs in it.
Exit codes: 1 a hang was found, 0 none, 3 none and the command failed, or was never seen twice."""


@click.command("watch", cls=Command, epilog=EPILOG, context_settings={"ignore_unknown_options": False})
@click.option(
    "--for",
    "limit_s",
    type=Duration(),
    metavar="TIME",
    help="End the command after so long; never when left out.",
)
@click.option(
    "--after",
    "after_s",
    type=Duration(),
    default="10s",
    show_default=True,
    metavar="TIME",
    help="Report a hang once it has lasted so long.",
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
    help="A command to run for each hang; REPRO_HANG holds the explanation.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder for the evidence; repro-runs/watch-… when left out."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON document on standard output at the end; the command's own output goes to standard error.",
)
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and paths in the JSON document.")
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(  # noqa: PLR0913  # one argument for each option
    ctx: click.Context,
    *,
    limit_s: float | None,
    after_s: float,
    on_hang: str,
    notify: str | None,
    out: Path | None,
    as_json: bool,
    no_redact: bool,
    words: tuple[str, ...],
) -> None:
    """Run a command unchanged, and watch it from outside until it ends or hangs.

    It hangs when the event loop of one of its Python processes is blocked, or when nothing can wake waiting greenlets.
    """
    from repro.cli.options import new_folder
    from repro.core.scrubbing.terminal import for_terminal
    from repro.orchestration.watch import OnHang, WatchOptions, watch

    if not words:
        raise UsageError(
            "nothing to watch was given; write the command after --, such as `repro watch -- locust -f locustfile.py`"
        )
    end_tidily_on_signals()
    folder = new_folder(out, "watch", busy=IN_USE)
    options = WatchOptions(
        command=words,
        after_s=after_s,
        limit_s=limit_s or float("inf"),
        on_hang=OnHang(on_hang),
        stdout=sys.stderr.fileno() if as_json else None,
    )
    folders = (folder if number == 1 else folder / f"hang-{number}" for number in itertools.count(1))
    watched = watch(options, lambda hang: _tell(hang, next(folders), notify))
    if watched.hang is not None and _can_run(words):
        step = for_terminal(shlex.join(["repro", "run", "--", *words]))
        click.echo(f"Next:     {step}  # the same with a local backend, and with --set what to vary", err=True)
    if as_json:
        echo_document(_document(watched, folder), no_redact=no_redact)
    else:
        _echo(watched)
    ctx.exit(exit_code(watched.verdict))


def _can_run(words: tuple[str, ...]) -> bool:
    """Whether ``repro run`` takes this command, too."""
    from repro.core.command.parser import parse

    try:
        parse(words)
    except UsageError:
        return False
    return True


def _tell(hang: Attached, folder: Path, notify: str | None) -> None:
    from repro.core.scrubbing.terminal import for_terminal
    from repro.errors import ProcessError
    from repro.orchestration.attachment import keep
    from repro.presentation.hang.diagnosis import block

    keep(hang, folder)
    text = block(hang, str(folder))
    click.echo(for_terminal(f"\n{text}\n"), err=True)
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


def _document(watched: Watched, folder: Path) -> dict[str, Any]:
    from repro.presentation.hang.diagnosis import document, nothing_found

    found = (
        document(watched.hang, str(folder))
        if watched.hang
        else nothing_found(watched.verdict, watched.seconds, watched.looks)
    )
    return found | {"looks": watched.looks, "watched_s": round(watched.seconds, 1), "exit_code": watched.exit_code}


def _echo(watched: Watched) -> None:
    if watched.hang is None:
        ended = "it was ended" if watched.exit_code is None else f"it ended with exit code {watched.exit_code}"
        click.echo(f"No hang in {watched.looks} looks over {watched.seconds:.0f} s; {ended}.", err=True)
