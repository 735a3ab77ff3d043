"""Before anything is made in a real account: what it will be, what it may cost, and whether the user agrees."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from repro.errors import UsageError
from repro.model import Cell, Plan

if TYPE_CHECKING:
    from repro.world.backends.aws.budget import TrialLoad

MOST_REQUESTS = 1_000_000
"""The bound when none is given: 0.40 US dollars."""


def agreed_budget(
    plan: Plan, *, region: str | None, endpoint_url: str | None, most_requests: int | None, yes: bool
) -> int:
    """The requests that each process of a cell may make; 0, without a question, when no cell uses a real account.

    Raises:
        UsageError: nobody can be asked, or the bound is too small; click.Abort: the user says no.
    """
    from repro.world.backends.aws.budget import RequestBudget, estimate_requests, plan_text

    loads = _loads(plan)
    if not loads:
        if most_requests is not None:
            raise UsageError(
                "--max-requests goes with --backend aws, and the other backends cost nothing; leave it out"
            )
        return 0
    budget = RequestBudget(most_requests or MOST_REQUESTS)
    requests = budget.requests_per_process(loads)
    click.echo(
        plan_text(
            region=region or "",
            queues=len(loads),
            estimated_requests=estimate_requests(loads),
            budget=budget,
            endpoint_url=endpoint_url or "",
        ),
        err=True,
    )
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("this needs a confirmation, and this is not a terminal; add --yes")
        click.confirm("Continue?", abort=True, err=True)
    return requests


def _loads(plan: Plan) -> list[TrialLoad]:
    from repro.world.backends.aws.budget import TrialLoad

    return [
        TrialLoad(
            users=int(cell.settings["users"]),
            seconds=float(cell.settings["seconds"]) + plan.limits.stall_after_s + plan.limits.stop_grace_s,
            messages=int(cell.settings["messages"]),
            processes=_processes(cell),
        )
        for cell in plan.cells
        if cell.settings["backend"] == "aws"
        for _ in range(plan.trials)
    ]


def _processes(cell: Cell) -> int:
    """Those that may call the client: under a multiprocessing launch the parent imports the locustfile too."""
    launch = str(cell.settings["launch"])
    workers = int(cell.settings["workers"])
    return {"process": 2, "spawn": 2, "processes": 1 + workers, "distributed": 2 + workers}.get(launch, 1)
