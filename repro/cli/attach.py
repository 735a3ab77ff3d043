"""``repro attach``: what a process that hangs now is stuck on, without stopping or changing it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options import Command, Finite, end_tidily_on_signals
from repro.errors import ExitCode
from repro.model import Verdict

if TYPE_CHECKING:
    from repro.orchestration.attachment import Attached

DEFAULT_S = 5.5
EPILOG = """\b
Examples:
  repro attach 4711
  repro attach 4711 --for 60 --json
  repro attach 4711 --pause                        for a process whose state changes quickly
  repro attach "$(pgrep -f 'locust -f' | head -1)"

\b
Only the memory of the process is read. No code runs in it, and it is not stopped unless you give --pause.
You must be root, or the same user with the right to trace it."""
IN_USE = "it already exists; choose another folder"
CODES = {Verdict.HANG: ExitCode.HANG, Verdict.CLEAN: ExitCode.NO_HANG}


class ProcessId(click.IntRange):
    """The id of a process."""

    name = "process id"


@click.command("attach", cls=Command, epilog=EPILOG)
@click.argument("pid", type=ProcessId(1))
@click.option(
    "--for",
    "seconds",
    type=Finite(0.5, 3600),
    default=DEFAULT_S,
    show_default=True,
    metavar="SECONDS",
    help="The time between two looks; a greenlet that makes progress in between is not stuck.",
)
@click.option(
    "--pause",
    "is_paused",
    is_flag=True,
    help="Pause the process during each look, without a signal; the answer says for how long.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder for the evidence (default: a new one under repro-runs)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and paths in the JSON document.")
@click.pass_context
def command(
    ctx: click.Context, *, pid: int, seconds: float, is_paused: bool, out: Path | None, as_json: bool, no_redact: bool
) -> None:
    """Show what process PID is stuck on: its threads, its parked greenlets, and what they wait for.

    Works with CPython 3.8 and newer and greenlet 1.1 and newer, even if the process is frozen, holds the GIL, or is
    stopped.
    """
    from repro.cli.options import new_folder
    from repro.orchestration.attachment import attach, keep
    from repro.presentation.hang.diagnosis import document

    end_tidily_on_signals()
    folder = new_folder(
        out, f"attach-{pid}", busy=IN_USE
    )  # a folder that cannot be used is told before the time is spent
    attached = attach(pid, seconds=seconds, is_paused=is_paused, on_look=lambda text: click.echo(text, err=True))
    keep(attached, folder)
    if as_json:
        echo_document(document(attached, str(folder)), no_redact=no_redact)
    else:
        _echo(attached, folder)
    ctx.exit(exit_code(attached.diagnosis.verdict))


def exit_code(verdict: Verdict) -> ExitCode:
    """What looking at a process came to, as the program's exit code."""
    return CODES.get(verdict, ExitCode.INCONCLUSIVE)


def echo_document(whole: Mapping[str, Any], *, no_redact: bool) -> None:
    """Print the JSON document of a process that was looked at, redacted as reports are."""
    from repro.core.scrubbing.redaction import redacted
    from repro.world.runs.this_machine import of_this_machine

    click.echo(json.dumps(whole if no_redact else redacted(whole, of_this_machine()), indent=1))


def _echo(attached: Attached, folder: Path) -> None:
    from repro.core.scrubbing.terminal import for_terminal
    from repro.presentation.console import terminal_width
    from repro.presentation.hang.diagnosis import block

    click.echo(for_terminal(block(attached, str(folder), width=terminal_width(to_stderr=False))))
