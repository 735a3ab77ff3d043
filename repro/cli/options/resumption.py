"""A new run, and one that is gone on with: what it is made of is kept, for two loads are never one rate."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.options.shared import SharedOptions, command_line, new_folder, parted
from repro.core.command_words import without
from repro.errors import UsageError
from repro.world.runs import RUNS

if TYPE_CHECKING:
    from repro.command import CommandInFolder
    from repro.model import Plan, Shard, StoredRun
    from repro.orchestration.preparation import Prepared
    from repro.world.runs.store import RunStore

_FLAGS = frozenset({"--resume", "--undo"})
_VALUES = frozenset({"--out", "--drop"})


@contextmanager
def closed_on_error(store: RunStore) -> Iterator[None]:
    """Let go of the run when it cannot be gone on with."""
    try:
        yield
    except BaseException:
        store.close()
        raise


def new_run(
    options: SharedOptions, prepared: Prepared, *, name: str, plan: Plan | None = None, shard: Shard | None = None
) -> RunStore:
    """The store of a new run, or of a shard of one, in its own folder; ``plan`` stands in for the prepared one."""
    from repro.world.runs.store import create_run
    from repro.world.runs.this_machine import this_machine

    store = create_run(
        new_folder(options.out, name),
        plan=plan or prepared.plan,
        command=command_line(),
        seed=options.seed,
        machine=_machine(),
        tool_versions=_tool_versions(),
    )
    with closed_on_error(store):
        keep_load(store, prepared)
        store.on_machine(this_machine())
        if shard is not None:
            store.keep_shard(shard)
    return store


def resumed_run(out: Path | None, prepared: Prepared, *, check: Callable[[StoredRun], None]) -> RunStore:
    """The store of the run that is continued; ``check`` refuses what is another run than was asked for.

    Raises:
        UsageError: it was refused, or its files are not as they were.
    """
    from repro.world.runs.store import open_run
    from repro.world.runs.this_machine import this_machine

    store = open_run(resumed_folder(out))
    with closed_on_error(store):
        check(store.read())
        check_load(store, prepared)
        store.on_machine(this_machine())
    return store


def resumed_folder(out: Path | None) -> Path:
    """The folder of the run that is continued: ``--out``, else the latest."""
    from repro.world.runs.store import find_run

    return out or find_run(None, RUNS)


def keep_load(store: RunStore, prepared: Prepared) -> None:
    """Keep the locustfile with a new run, and the digests of all that the run is made of."""
    from repro.world.runs.kept.locustfile import COPY, keep

    if prepared.command is not None:
        from repro.world.commands.folder import copy_folder

        copy_folder(prepared.command.folder, store.folder / COPY)
        store.keep_command(prepared.command.line, prepared.command.typed_in)
    if prepared.scenario.locustfile.name:
        keep(prepared.scenario.locustfile, store.folder)
    store.keep_inputs(prepared.inputs)


def command_in(store: RunStore, prepared: Prepared) -> CommandInFolder | None:
    """The command as the trials of this run have it; None where the run is not of one."""
    from repro.world.runs.kept.locustfile import COPY

    return prepared.command.in_run(store.folder / COPY) if prepared.command is not None else None


def check_load(store: RunStore, prepared: Prepared) -> None:
    """Refuse to continue a run whose files are not as they were.

    Raises:
        UsageError: names what changed and what to type to begin anew.
    """
    kept, now = store.inputs(), prepared.inputs
    if kept is None:
        click.echo(
            f"Note: the run in {store.folder} was made by an earlier repro, which did not keep what its files were; "
            "go on only if the locustfile is as it was",
            err=True,
        )
        return
    changed = [name for name in {**kept, **now} if kept.get(name) != now.get(name)]
    if changed:
        raise UsageError(
            f"--resume: not as when the run in {store.folder} was made: {', '.join(changed)}; two loads do not make "
            f"one "
            f"rate, so start a new run with: {typed_with([], flags=_FLAGS, values=_VALUES)}"
        )


def _machine() -> dict[str, str]:
    """The machine of a run, to be kept with it."""
    return {"system": platform.platform(), "cores": str(os.cpu_count()), "python": platform.python_version()}


def _tool_versions() -> dict[str, str]:
    """This program's own versions, likewise."""
    from importlib import metadata

    from repro import __version__

    names = ("boto3", "moto", "psutil", "py-spy", "uv")
    return {"repro": __version__, **{name: metadata.version(name) for name in names}}


def typed_with(more: Sequence[str], *, flags: Collection[str], values: Collection[str]) -> str:
    """What was typed without some options, ``values`` being those that take one, and with ``more`` of them.

    The words of a command after ``--`` are left as they are, and stay at the end.
    """
    typed, command = parted(sys.argv[1:])
    words = without(typed, flags=flags, values=values)
    return shlex.join(["repro", *words, *more, *(() if command is None else ("--", *command))])
