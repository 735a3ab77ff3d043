"""``repro attach``: shows what a running process, or one in a core dump, is stuck on, without changing it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options.shared import Command, Finite, end_tidily_on_signals
from repro.errors import ExitCode, UsageError
from repro.model import Verdict

if TYPE_CHECKING:
    from repro.orchestration.attachment import Attached

DEFAULT_S = 5.5
EPILOG = """\b
Examples:
  repro attach 4711
  repro attach 4711 --for 60 --json
  repro attach 4711 --pause           if its state changes quickly
  repro attach --core core.4711       a core dump, of gcore or a crash
  repro attach "$(pgrep -f 'locust -f' | head -1)"

Only the memory of the process is read. No code runs in it, and it is not stopped unless you give --pause.
You must be root, or the same user with the right to trace it."""
IN_USE = "it already exists; choose another folder"
CODES = {Verdict.HANG: ExitCode.HANG, Verdict.CLEAN: ExitCode.NO_HANG}


class ProcessId(click.IntRange):
    """The id of a process."""

    name = "process id"


@click.command("attach", cls=Command, epilog=EPILOG)
@click.argument("pid", type=ProcessId(1), required=False)
@click.option(
    "--core",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read a core dump instead of a process. It shows one moment, so fewer hangs can be recognised.",
)
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --core: the interpreter that made it, if it has moved.",
)
@click.option(
    "--for",
    "seconds",
    type=Finite(0.5, 3600),
    metavar="SECONDS",
    help=f"The time between two looks; a greenlet that makes progress in between is not stuck.  [default: {DEFAULT_S}]",
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
def command(  # noqa: PLR0913  # one argument for each option
    ctx: click.Context,
    *,
    pid: int | None,
    core: Path | None,
    python: Path | None,
    seconds: float | None,
    is_paused: bool,
    out: Path | None,
    as_json: bool,
    no_redact: bool,
) -> None:
    """Show what process PID is stuck on: its threads, its parked greenlets, and what they wait for.

    Works with CPython 3.8 and newer and greenlet 1.1 and newer, even if the process is frozen, holds the GIL, or is
    stopped.
    """
    from repro.cli.options.shared import new_folder
    from repro.orchestration.attachment import attach, attach_core, keep
    from repro.presentation.hang.diagnosis import document

    end_tidily_on_signals()
    _check(pid, core, python, is_paused=is_paused, has_time=seconds is not None)
    name = f"attach-{pid or 'core'}"
    folder = new_folder(out, name, busy=IN_USE)  # one that cannot be used is told before the time is spent
    if pid is None:
        attached = attach_core(core or Path(), python=python)
    else:
        attached = attach(pid, seconds=seconds or DEFAULT_S, is_paused=is_paused, on_look=_tell)
    keep(attached, folder)
    if as_json:
        echo_document(document(attached, str(folder)), no_redact=no_redact)
    else:
        _echo(attached, folder)
    ctx.exit(exit_code(attached.diagnosis.verdict))


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _check(pid: int | None, core: Path | None, python: Path | None, *, is_paused: bool, has_time: bool) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: one sentence.
    """
    if (pid is None) == (core is None):
        raise UsageError("give either the PID of a process or --core FILE")
    if core is None and python is not None:
        raise UsageError("--python says which interpreter made a core file; a process has its own, so leave it out")
    if core is not None and (is_paused or has_time):
        raise UsageError("--pause and --for are for a process that runs; a core file is one moment, so leave them out")
    if python is not None and not (python.is_file() and os.access(python, os.X_OK)):
        raise UsageError(f"{python} is not a program that can be run; give the interpreter that made the core file")


def exit_code(verdict: Verdict) -> ExitCode:
    """The exit code for what was found."""
    return CODES.get(verdict, ExitCode.INCONCLUSIVE)


def echo_document(whole: Mapping[str, Any], *, no_redact: bool) -> None:
    """Print the JSON document, redacted like a report."""
    from repro.core.scrubbing.redaction import redacted
    from repro.world.runs.this_machine import of_this_machine

    click.echo(json.dumps(whole if no_redact else redacted(whole, of_this_machine()), indent=1))


def _echo(attached: Attached, folder: Path) -> None:
    from repro.core.scrubbing.terminal import for_terminal
    from repro.presentation.console import terminal_width
    from repro.presentation.hang.diagnosis import block

    click.echo(for_terminal(block(attached, str(folder), width=terminal_width(to_stderr=False))))
