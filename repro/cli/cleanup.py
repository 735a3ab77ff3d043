"""``repro cleanup``: delete the queues that a run against real AWS left behind."""

from __future__ import annotations

import sys

import click

from repro.cli.options.shared import Command
from repro.errors import UsageError

EPILOG = """\b
Examples:
  repro cleanup --region eu-central-1 --dry-run
  repro cleanup --region eu-central-1 --profile test --yes"""


@click.command("cleanup", cls=Command, epilog=EPILOG)
@click.option("--region", required=True, help="The region to look in.")
@click.option("--profile", help="The AWS profile (default: boto3's usual credentials).")
@click.option("--endpoint-url", metavar="URL", help="An endpoint other than the region's public one, such as a VPC's.")
@click.option("--run", default="", metavar="ID", help="Only the queues of this run (default: of all runs).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="List the queues, but delete nothing.")
def command(*, region: str, profile: str | None, endpoint_url: str | None, run: str, yes: bool, dry_run: bool) -> None:
    """Delete the queues that a run against real AWS left behind.

    They are named repro-… and tagged created-by=repro. A run that is still under way has such queues, too: look at
    their ages, or give --run.
    """
    from repro.world.backends.aws.account import open_account
    from repro.world.backends.aws.leftovers import delete_leftover, find_leftovers

    account = open_account(region, profile=profile, endpoint_url=endpoint_url)
    account.credentials()
    leftovers = tuple(find_leftovers(account, run=run))
    if not leftovers:
        click.echo(f"Nothing is left in {region}.")
        return
    for leftover in leftovers:
        click.echo(f"{leftover.name}  run {leftover.run}  made {_age(leftover.age_s)} ago")
    if dry_run:
        click.echo(f"{len(leftovers)} queues would be deleted in {region}.")
        return
    if not yes and not _agrees(len(leftovers), region):
        click.echo("Nothing was deleted.")
        return
    for leftover in leftovers:
        delete_leftover(account, leftover)
    click.echo(f"{len(leftovers)} queues are deleted in {region}.")


def _agrees(number: int, region: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            f"deleting {number} queues needs a confirmation, and this is not a terminal; "
            "add --yes, or --dry-run to look"
        )
    return click.confirm(f"Delete these {number} queues in {region}?")


def _age(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"
