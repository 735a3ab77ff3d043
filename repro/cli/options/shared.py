"""The options that several commands share, and what they make of them."""

from __future__ import annotations

import errno
import json
import math
import os
import shlex
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.completion import words
from repro.cli.options.provisions import ProvisionOptions, provision_options
from repro.errors import UsageError
from repro.model import Cell
from repro.world.runs import RUNS

if TYPE_CHECKING:
    from repro.model import StoredRun
    from repro.orchestration.commands import CommandRequest

LONGEST_SHOWN = 200
_WORDS = "repro.words"


class Command(click.Command):
    """A command that takes an empty word for a slip: a variable of a script that is not set, never a name or a path."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What click makes of the words, once none of them is empty."""
        if not ctx.resilient_parsing:
            given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            for param in self.params:
                value = given.get(param.name or "")
                if "" in (value if isinstance(value, list | tuple) else [value]):
                    is_option = param.param_type_name == "option"
                    name = param.opts[-1] if is_option else param.make_metavar(ctx)
                    raise UsageError(f"{name} is empty; give a value, or leave it out")
        return super().parse_args(ctx, args)


class BeforeCommand(Command):
    """A command that may be followed by ``-- COMMAND…``, somebody's own: its words are not options of this program."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What click makes of the words before ``--``; those after it are kept as they are."""
        own, words = parted(args)
        ctx.meta[_WORDS] = words
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The usage, which says that a command may follow."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


def parted(args: Sequence[str]) -> tuple[list[str], tuple[str, ...] | None]:
    """This program's own words, and those of the command after ``--``; None without a ``--``."""
    if "--" not in args:
        return list(args), None
    place = list(args).index("--")
    return list(args[:place]), tuple(args[place + 1 :])


def words_of(ctx: click.Context) -> tuple[str, ...] | None:
    """The command that follows ``--``, None where none does."""
    words: tuple[str, ...] | None = ctx.meta.get(_WORDS)
    return words


class Finite(click.FloatRange):
    """A number within bounds; neither ``nan``, which no bound holds, nor infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; refused where it is none that can be counted with."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


_EXPERIMENT = click.argument("experiment", required=False, shell_complete=words.experiments)
_SHARED = (
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="NAME=LEVEL[,LEVEL…]",
        shell_complete=words.assignments,
        help="Set a factor's levels; `repro list factors` shows all. Repeatable.",
    ),
    click.option(
        "--env",
        "env",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="Pass this shell variable to the COMMAND, besides those that its files read. Repeatable.",
    ),
    click.option("--no-env", is_flag=True, help="Pass no shell variables except those of --env."),
    click.option(
        "--locustfile", type=click.Path(path_type=Path), help="Use your own locustfile instead of the scenario's."
    ),
    click.option(
        "--python",
        type=click.Path(path_type=Path),
        help="Use this interpreter's environment, unchanged; with a COMMAND, start from it.",
    ),
    click.option(
        "--backend",
        metavar="NAME[,NAME…]",
        shell_complete=words.listed("moto", "ministack", "endpoint", "aws"),
        help="moto (the default), ministack, endpoint or aws; several make the backend a factor.",
    ),
    click.option("--endpoint-url", metavar="URL", help="The address of the SQS, with --backend endpoint."),
    click.option("--region", metavar="REGION", help="The AWS region, with --backend aws."),
    click.option("--profile", metavar="NAME", help="The AWS profile, with --backend aws."),
    click.option("--yes", is_flag=True, help="Do not ask before queues are created in a real account."),
    click.option(
        "--max-requests",
        type=click.IntRange(1),
        metavar="N",
        help="The most requests a run may send to a real account (default: 1,000,000).",
    ),
    click.option(
        "--seed",
        type=int,
        metavar="N",
        default=0,
        show_default=True,
        help="Seed for all random choices: the order of trials, the faults, the locustfile.",
    ),
    click.option(
        "--out", type=click.Path(path_type=Path), help="The folder for the run (default: a new one under repro-runs)."
    ),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print one JSON document on standard output; progress goes to standard error.",
    ),
    click.option(
        "--no-redact", is_flag=True, help="Keep names, account numbers, keys and message bodies in the JSON document."
    ),
)


@dataclass(frozen=True, kw_only=True)
class SharedOptions(ProvisionOptions):
    """What ``_SHARED`` came to, as click gives it."""

    experiment: str | None
    overrides: tuple[str, ...]
    locustfile: Path | None
    python: Path | None
    backend: str | None
    endpoint_url: str | None
    region: str | None
    profile: str | None
    yes: bool
    max_requests: int | None
    seed: int
    out: Path | None
    as_json: bool
    no_redact: bool
    env: tuple[str, ...] = ()
    no_env: bool = False
    words: tuple[str, ...] | None = None

    @property
    def command(self) -> CommandRequest | None:
        """What was typed after ``--``.

        Raises:
            UsageError: an option says something of a command, and there is none.
        """
        from repro.orchestration.commands import CommandRequest

        if self.words is None:
            if self.env or self.no_env:
                raise UsageError("--env and --no-env go with a command; write it after --, or use --set env.NAME=VALUE")
            return None
        return CommandRequest(words=self.words, names=self.env, has_no_variables=self.no_env)

    @property
    def again(self) -> str:
        """What of it a command line that runs a cell again must have at its end: the command, with its variables."""
        if self.words is None:
            return shlex.join(self.provision_words)
        variables = [word for name in self.env for word in ("--env", name)]
        own = [*self.provision_words, *variables, *(["--no-env"] if self.no_env else [])]
        return shlex.join([*own, "--", *self.words])

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends' names; none where the experiment's own is taken."""
        return tuple(self.backend.split(",")) if self.backend else ()


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the experiment argument and the options that choose, change and place a run."""
    command = provision_options(command)
    for option in reversed((_EXPERIMENT, *_SHARED)):
        command = option(command)
    return command


def end_tidily_on_signals() -> None:
    """SIGTERM and a closed terminal end the program as Ctrl-C does.

    Ctrl-C does so too where a shell's ``&`` had it ignored. ``nohup`` has SIGHUP ignored, which is what it is
    typed for.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signum is not signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _interrupt)


def _interrupt(*_: object) -> None:
    # A terminal that is closed sends SIGHUP more than once, and the second must not cut the tidying short; Ctrl-C may.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    raise KeyboardInterrupt


def default_jobs() -> int:
    """Trials at once: each keeps a core busy and its backend another."""
    return max(1, (os.cpu_count() or 2) // 2)


def command_line() -> str:
    """What was typed, to be kept with the run."""
    return shlex.join(["repro", *sys.argv[1:]])


def factor_of(assignment: str) -> str:
    """The one name of the factor that a ``--set`` names."""
    from packaging.utils import canonicalize_name

    from repro.core.experiment.factors.catalogue import COMMON, PACKAGES

    name = assignment.partition("=")[0].strip()
    return (
        name
        if name in COMMON or "." in name.removeprefix(PACKAGES)
        else str(canonicalize_name(name.removeprefix(PACKAGES)))
    )


def set_name(name: str, cell: Cell) -> str:
    """A factor's name as ``--set`` takes it for this cell: a distribution's may look like a slip."""
    from repro.core.experiment.factors.catalogue import COMMON

    return name if name in cell.settings else COMMON.assigned(name)


def assignments_of(cell: Cell) -> dict[str, str]:
    """What ``--set`` takes for each factor that the cell is named by."""
    from repro.core.experiment.factors.level_text import typed

    return {name: f"{set_name(name, cell)}={typed(cell.factors[name])}" for name in cell.named}


def overrides_beside(names: Collection[str], overrides: Sequence[str]) -> list[str]:
    """The ``--set`` assignments of other factors than these, the last one of each: it is the one that counts."""
    last = {factor_of(one): one for one in overrides}
    return [one for name, one in last.items() if name not in names]


def reproduce(
    assignments: Sequence[str], *, experiment: str | None, others: Sequence[str] = (), again: str = ""
) -> str:
    """The command that runs one cell again; ``others`` are more options, ``again`` is somebody's own command."""
    settings = " ".join(f"--set {shlex.quote(one)}" for one in assignments)
    named = shlex.quote(experiment) if experiment else ""
    return " ".join(word for word in ("repro run", named, settings, shlex.join(others), again) if word)


def note(notices: Iterable[str]) -> None:
    """Say what must be known before a run, a line each, beside what programs read."""
    from repro.presentation.console import terminal_width
    from repro.presentation.lines import fitted

    for notice in notices:
        click.echo(fitted(f"Note: {notice}", width=terminal_width(to_stderr=True)), err=True)


def echo_document(run: StoredRun, *, no_redact: bool) -> None:
    """Print the run's JSON document, redacted as reports are."""
    from repro.presentation.reports.document import document
    from repro.presentation.reports.report import redacted_report, report_of
    from repro.world.runs.this_machine import of_this_machine, redacted_place

    shown = report_of(run)
    if not no_redact:
        known = of_this_machine(run=run.folder, machines=run.machines)
        shown = redacted_report(shown, known, run_dir=redacted_place(run.folder))
    click.echo(json.dumps(document(shown), indent=1))


def backend_options(*, endpoint_url: str | None, region: str | None, profile: str | None) -> dict[str, str | None]:
    """What ``make_backend`` takes, the options left out being left out."""
    given = {"endpoint_url": endpoint_url, "region": region, "profile": profile}
    return {name: value for name, value in given.items() if value is not None}


RESUMABLE = "it already exists; add --resume to continue that run, or choose another folder"


def new_folder(out: Path | None, name: str, *, busy: str = RESUMABLE) -> Path:
    """The folder of a new run: ``--out`` as it is, else one that says when and what; ``busy`` is said of one in use.

    Raises:
        UsageError: ``--out`` is there already and is not empty.
    """
    if out is None:
        from datetime import datetime

        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        return RUNS / f"{stamp}-{Path(name).stem.replace('/', '-')}-{os.getpid()}"
    check_folder("--out", out, busy=busy)
    return out


def check_folder(option: str, folder: Path, *, busy: str) -> None:
    """Make the folder that an option names, unless it is there and empty.

    Raises:
        UsageError: there is something (``busy``), or it cannot be made or written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{option} {folder}: {busy}")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{option} {_short(folder)}: {reason}; choose a folder that can be written") from error


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
