"""``--resume`` and what a run is made of: a load that has changed is another run's, and two loads are never one rate."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from repro.errors import UsageError

if TYPE_CHECKING:
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


def keep_load(store: RunStore, prepared: Prepared) -> None:
    """Keep the locustfile with a new run, and the digests of all that the run is made of."""
    from repro.world.runs.kept_locustfile import keep

    keep(prepared.scenario.locustfile, store.folder)
    store.keep_inputs(prepared.inputs)


def check_load(store: RunStore, prepared: Prepared) -> None:
    """Refuse to go on with a run whose files are not as they were.

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
            f"--resume: not as when the run in {store.folder} was made: {', '.join(changed)}; two loads are not one rate, "
            f"so begin anew with: {typed_without(_FLAGS, _VALUES)}"
        )


def typed_without(flags: Collection[str], values: Collection[str]) -> str:
    """What was typed, without some options; ``values`` are those that take one."""
    words, is_value = ["repro"], False
    for word in sys.argv[1:]:
        name, sign, _ = word.partition("=")
        if not is_value and name not in {*flags, *values}:
            words.append(word)
        is_value = not is_value and name in values and not sign
    return shlex.join(words)
