"""``--dask``: the trials run on the workers of a dask cluster, and what goes with that."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options.shared import SharedOptions
from repro.errors import UsageError

if TYPE_CHECKING:
    from repro.model import Plan
    from repro.orchestration.session import Session, SessionOptions
    from repro.orchestration.workers.address import ClusterAddress
    from repro.orchestration.workers.session import WorkersSession


def _address(_ctx: click.Context, _param: click.Parameter, text: str | None) -> ClusterAddress | None:
    from repro.orchestration.workers.address import ClusterAddress

    return None if text is None else ClusterAddress.read(text)


dask_option = click.option(
    "--dask",
    metavar="ADDRESS|local:N",
    callback=_address,
    help="Run the trials on the workers of the dask scheduler at ADDRESS (tcp://HOST:PORT), or on N local ones.",
)


def check_dask(options: SharedOptions, address: ClusterAddress | None, *, jobs: int | None) -> None:
    """Refuse what does not go with ``--dask``, and a repro that was installed without it.

    Raises:
        UsageError: one sentence.
    """
    if address is None:
        return
    if importlib.util.find_spec("distributed") is None:
        python = shlex.quote(sys.executable)
        raise UsageError(
            "--dask needs dask.distributed, the extra repro-hangs[dask], which is not installed; "
            f"type: {python} -m uv pip install --python {python} distributed"
        )
    if jobs is not None:
        raise UsageError("--jobs says how many trials this machine runs at once, and --dask runs them; leave it out")
    if "aws" in options.backends:
        raise UsageError("--dask runs against a local backend beside each trial; leave --backend aws out")
    if address.url and options.provision_words:
        _check_provision(options)


def _check_provision(options: SharedOptions) -> None:
    for name, value in (("--serve", options.serve), ("--before", options.before)):
        if value is not None:
            raise UsageError(f"{name} runs a command of this machine, and --dask runs elsewhere; leave {name} out")


def session_on(
    plan: Plan, options: SessionOptions, address: ClusterAddress | None, *, on_note: Callable[[str], Any]
) -> Session | WorkersSession:
    """What the trials run in: this machine, or the workers of a cluster, ``on_note`` being told of those."""
    if address is None:
        from repro.orchestration.session import Session

        return Session(plan, options)
    from repro.orchestration.workers.session import WorkersSession

    return WorkersSession(plan, options, address=address, on_note=on_note)
