"""The command line: one module a command, loaded when it is called; only here click, only here an exit."""

from __future__ import annotations

import errno
import importlib
import os
import resource
import sys

import click

from repro import __version__
from repro.cli import streams
from repro.errors import ExitCode, ReproError, UsageError

_COMMANDS = {
    "run": ("repro.cli.run", "Run your command, or an experiment, and find which combinations hang."),
    "bisect": ("repro.cli.bisect", "Find the first release, or the first day, that hangs."),
    "blame": ("repro.cli.blame", "Find which of the changed packages cause the hang."),
    "watch": ("repro.cli.watch", "Run a command unchanged, and report when it hangs."),
    "attach": ("repro.cli.attach", "Show what a running process is stuck on."),
    "doctor": ("repro.cli.doctor", "Show which known hangs are possible with these packages."),
    "report": ("repro.cli.report", "Write a report of a stored run: Markdown, HTML, JSON or JUnit."),
    "merge": ("repro.cli.merge", "Combine the shards of one run."),
    "export": ("repro.cli.export", "Write one file that shows a hang, and run it to prove it."),
    "list": ("repro.cli.inventory", "List scenarios, experiments, factors, faults, causes or runs."),
    "env": ("repro.cli.environments", "List, show or delete the cached environments."),
    "completion": ("repro.cli.shell_script", "Print the script for TAB completion in a shell."),
    "cleanup": ("repro.cli.cleanup", "Delete queues that a run against real AWS left behind."),
}

COMPLETE = "_REPRO_COMPLETE"
"""The variable by which a shell asks for completions, as click names it."""
_UNUSABLE_NAMES = {errno.ENAMETOOLONG, errno.ELOOP}
LONGEST_NAME = 80
LEAST_MEMORY_BYTES = 512 * 1024 * 1024

EPILOG = """\b
Examples:
  repro attach 4711              what a process that hangs now is stuck on
  repro run -- locust -f locustfile.py -u 50     your own test, on a local SQS
  repro run                      the matrix of Locust issue 2637, five minutes
  repro bisect gevent --good 23.9.1 --bad 24.2.1 -- locust -f locustfile.py
  repro blame --good old.txt --bad new.txt -- locust -f locustfile.py
  repro report --format html     a page of the latest run
  repro export -o bug            one file that shows the hang

Exit codes: 0 no hang, 1 a hang was found, 2 wrong usage or experiment file, 3 inconclusive or
untestable, 4 the backend or repro itself failed, 130 interrupted.

Completion: eval "$(repro completion bash)"; `repro completion --help` has zsh and fish."""


class _Commands(click.Group):
    """Knows its commands by name and loads one only when it is called: ``--help`` must not wait for libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # likewise
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" The commands are {', '.join(_COMMANDS)}."
            raise click.UsageError(f"Unknown command {args[0]!r}.{hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # likewise
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=_Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="repro")
def cli() -> None:
    """Show which combination of packages and settings makes a Locust test against SQS hang, why, and since when."""
    if reason := refusal(sys.platform) or refusal_of_memory(resource.getrlimit(resource.RLIMIT_AS)[0]):
        raise ReproError(reason)
    try:
        os.getcwd()  # noqa: PTH109  # it is asked whether it is there
    except OSError as error:
        raise UsageError(f"the current folder no longer exists ({error.strerror}); change to another one") from error


def refusal(platform: str) -> str:
    """Why this program does not run on a platform (``sys.platform``), with the next step; empty where it does."""
    if platform in {"linux", "darwin"}:
        return ""
    return f"repro runs on Linux and macOS, not on {platform}; use WSL or a container"


def main() -> None:
    """Run the command line; every error becomes one sentence on standard error and an exit code."""
    streams.steady()
    code = _exit_code()
    if (lost := streams.lost_output()) is not None:
        click.echo(
            f"Error: the output could not be written completely ({lost.strerror}); free some space there", err=True
        )
        code = ExitCode.FAILED
    sys.exit(code)


def refusal_of_memory(limit_bytes: int) -> str:
    """Why this program does not run within a limit of memory (``ulimit -v``), with the next step; empty where it does.

    Within less NumPy's own library ends the process by itself, with the exit code that says that a hang was found.
    """
    if limit_bytes < 0 or limit_bytes >= LEAST_MEMORY_BYTES:
        return ""
    return (
        f"this shell limits memory to {limit_bytes // 1024} kB (ulimit -v), "
        f"and repro needs {LEAST_MEMORY_BYTES // 1024} kB; raise the limit"
    )


def _exit_code() -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing here is worth a buffer for each core
    if COMPLETE in os.environ:
        from repro.cli.completion.shells import register

        register()
    try:
        return int(cli.main(standalone_mode=False) or ExitCode.NO_HANG)
    except click.ClickException as error:
        error.show()
        return _ended(ExitCode.USAGE, error.format_message(), hint=_help_of(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return _ended(ExitCode.INTERRUPTED, "interrupted")
    except ReproError as error:
        from repro.core.scrubbing.terminal import for_terminal  # a resolver's or a cell's words may be in it

        click.echo(for_terminal(f"Error: {error}"), err=True)
        happened, hint = error.parts
        return _ended(error.exit_code, happened, hint=hint)
    except Exception as error:  # noqa: BLE001  # an exit code of 1 says that a hang was found, never that this failed
        return _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in _UNUSABLE_NAMES:
        name = str(error.filename)[:LONGEST_NAME]
        hint = "give a shorter name, or one that is not a loop of links"
        click.echo(f"Error: {name}…: {error.strerror}; {hint}", err=True)
        return _ended(ExitCode.USAGE, f"{name}…: {error.strerror}", hint=hint)
    from repro.cli import failure

    sentence = failure.sentence(error)
    click.echo(f"Error: {sentence}", err=True)
    happened, hint = ReproError(sentence).parts
    return _ended(ExitCode.FAILED, happened, hint=hint)


def _help_of(error: click.ClickException) -> str:
    """What shows how the command is used."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"`{context.command_path if context else 'repro'} --help` shows what it takes"


def _ended(code: ExitCode, error: str, *, hint: str = "") -> ExitCode:
    """The exit code of an error; with ``--json`` the error is the one JSON document, unless there is one already."""
    from repro.cli import failure

    words = sys.argv[1:]
    own = words[: words.index("--")] if "--" in words else words
    if failure.is_json_asked(words) and not streams.has_output():
        click.echo(failure.document(error, hint, code, redact="--no-redact" not in own))
    return code
