"""What a load expects to be there: the options that make it before each trial, or lead to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click

from repro.errors import UsageError
from repro.model import Provision, Table

KINDS = ("S", "N", "B")

_OPTIONS = (
    click.option(
        "--queue", "queues", multiple=True, metavar="NAME", help="Create this SQS queue for each trial. Repeatable."
    ),
    click.option(
        "--bucket", "buckets", multiple=True, metavar="NAME", help="Create this S3 bucket for each trial. Repeatable."
    ),
    click.option(
        "--table",
        "tables",
        multiple=True,
        metavar="NAME:KEY[,RANGE]",
        help="Create this DynamoDB table for each trial; keys are strings, KEY/N is a number. Repeatable.",
    ),
    click.option("--before", metavar="COMMAND", help="Run this command before each trial, to fill the backend."),
    click.option(
        "--serve",
        metavar="COMMAND",
        help="Start this server for each trial instead of the backend; {port} becomes a free port.",
    ),
    click.option("--serve-url", metavar="URL", help="The address of the server that --serve starts."),
    click.option(
        "--redirect",
        "redirects",
        multiple=True,
        metavar="URL",
        help="Send calls to this address to the backend instead. Repeatable.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class ProvisionOptions:
    """What ``_OPTIONS`` came to, as click gives it."""

    queues: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    before: str | None = None
    serve: str | None = None
    serve_url: str | None = None
    redirects: tuple[str, ...] = ()

    @property
    def provision(self) -> Provision:
        """What each trial finds.

        Raises:
            UsageError: an option cannot be read, or needs another one.
        """
        from repro.world.backends.servers.served import check_served

        check_served(self.serve, self.serve_url)
        return Provision(
            queues=self.queues,
            buckets=self.buckets,
            tables=tuple(map(read_table, self.tables)),
            before=self.before or "",
            serve=self.serve or "",
            serve_url=self.serve_url or "",
            redirects=tuple(map(_read_redirect, self.redirects)),
        )

    @property
    def provision_words(self) -> list[str]:
        """The same as it is typed."""
        given = (
            *(("--queue", name) for name in self.queues),
            *(("--bucket", name) for name in self.buckets),
            *(("--table", name) for name in self.tables),
            ("--before", self.before),
            ("--serve", self.serve),
            ("--serve-url", self.serve_url),
            *(("--redirect", url) for url in self.redirects),
        )
        return [word for option, value in given if value is not None for word in (option, value)]

    def check_backend(self, backend: str | None) -> None:
        """Refuse what does not go with ``--backend``: nothing of the kind is made in a real account.

        Raises:
            UsageError: leave one of them out.
        """
        words = self.provision_words
        if words and backend is not None and "aws" in backend.split(","):
            raise UsageError(f"{words[0]} goes with a local backend; leave it out, or leave --backend aws out")
        if self.serve and backend is not None:
            raise UsageError("--serve and --backend both say what answers; leave --backend out")


def provision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make what a load expects."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_table(text: str) -> Table:
    """A table from ``NAME:KEY``, ``NAME:KEY,RANGE`` or ``NAME:KEY/N``.

    Raises:
        UsageError: it has no key, or one of an unknown type.
    """
    name, _, keys = text.partition(":")
    if not name or not all(keys.split(",")) or len(keys.split(",")) > 2:  # a hash key and a range key
        raise UsageError(f"--table {text}: write NAME:KEY, or NAME:KEY,RANGE, such as --table orders:id")
    pairs = [(key, kind or "S") for key, _, kind in (part.partition("/") for part in keys.split(","))]
    if wrong := [kind for key, kind in pairs if kind not in KINDS or not key]:
        raise UsageError(f"--table {text}: a key's type cannot be {wrong[0]!r}; choose S, N or B")
    return Table(name=name, keys=tuple(pairs))


def _read_redirect(url: str) -> str:
    parts = urlsplit(url)
    try:
        has_place = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        has_place = False
    if not has_place:
        raise UsageError(f"--redirect {url}: this is not a URL; give one such as http://localhost:9000")
    return url
