"""``repro env``: lists, shows and deletes the cached environments."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options.shared import Command, Finite
from repro.errors import UsageError

if TYPE_CHECKING:
    from repro.world.environments.cache import Entry, EnvironmentCache

EPILOG = """\b
Examples:
  repro env list
  repro env show 3f9c               what was asked for, and what was installed
  repro env prune --older-than 30
  repro env prune --all"""
SHOWN = ("locust", "gevent", "urllib3", "boto3")
DAY_S = 86_400.0


@click.group("env", epilog=EPILOG)
def command() -> None:
    """List, show or delete the cached environments; a run rebuilds those that it needs."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array on standard output.")
def list_(*, as_json: bool) -> None:
    """List the cached environments, the last used first."""
    entries = _cache().entries()
    if as_json:
        click.echo(json.dumps([_document(entry) for entry in entries], indent=1))
    elif not entries:
        click.echo("No environment is cached; `repro run` builds those it needs.", err=True)
    else:
        _print(entries)


@command.command("show", cls=Command)
@click.argument("key")
def show(key: str) -> None:
    """Show an environment as JSON, by the first characters of its KEY."""
    click.echo(json.dumps(_document(_one(key)), indent=1))


@command.command("prune")
@click.option(
    "--older-than", "days", type=Finite(min=0), metavar="DAYS", help="Only those not used for this many days."
)
@click.option("--all", "everything", is_flag=True, help="All of them.")
def prune(days: float | None, *, everything: bool) -> None:
    """Delete cached environments."""
    if days is None and not everything:
        raise UsageError("nothing to delete was given; add --older-than DAYS, or --all")
    cache = _cache()
    before = time.time() - (days or 0) * DAY_S
    gone = [entry for entry in cache.entries() if everything or entry.used < before]
    for entry in gone:
        cache.remove(entry.key)
    freed = sum(entry.size for entry in gone)
    click.echo(f"{len(gone)} environments deleted, {freed / 1e6:.0f} MB freed")


def _cache() -> EnvironmentCache:
    from repro.world.environments.cache import EnvironmentCache

    return EnvironmentCache()


def _one(key: str) -> Entry:
    found = [entry for entry in _cache().entries() if entry.key.startswith(key)]
    if len(found) != 1:
        what = "no environment has" if not found else f"{len(found)} environments have"
        raise UsageError(f"{what} a key that begins with {key!r}; `repro env list` shows them")
    return found[0]


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "folder": str(entry.folder),
        "python": entry.python,
        "asked": dict(entry.asked),
        "versions": dict(entry.versions),
        "created": _moment(entry.created),
        "used": _moment(entry.used),
        "bytes": entry.size,
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _print(entries: tuple[Entry, ...]) -> None:
    from rich.table import Table

    from repro.presentation.console import make_console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("key", "python", *SHOWN, "packages", "MB", "last used"):
        table.add_column(name, no_wrap=name == "key")
    for entry in entries:
        shown = [entry.versions.get(name, "") for name in SHOWN]
        table.add_row(
            entry.key, entry.python, *shown, str(len(entry.versions)), f"{entry.size / 1e6:.0f}", _moment(entry.used)
        )
    make_console(to_stderr=False).print(table)
