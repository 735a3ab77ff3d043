"""``repro doctor``: shows which known causes are possible with a set of packages, without running anything."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import click

from repro.cli.options.shared import Command
from repro.errors import ExitCode, UsageError

EPILOG = """\b
Examples:
  repro doctor                              the `python` on the PATH
  repro doctor .venv/bin/python
  repro doctor uv.lock --format json
  repro doctor requirements.txt --format github

A possible cause needs something besides these versions, which is shown; `repro run` shows whether it really hangs.
Causes that can occur with any version are listed, but do not change the exit code.

Exit codes: 0 no known cause fits these versions, 1 the versions alone make one certain, 3 some are possible."""


@click.command("doctor", cls=Command, epilog=EPILOG)
@click.argument("source", metavar="[PYTHON|LOCKFILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--python", default="", metavar="VERSION", help="The Python version to resolve requirements and markers for."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="The output format.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def command(ctx: click.Context, *, source: Path | None, python: str, form: str, as_json: bool) -> None:
    """Show which known hangs are possible with the packages of an interpreter, a requirements file or a lock file."""
    from repro.core.causes.prognosis import possible_causes
    from repro.presentation.console import terminal_width
    from repro.presentation.hang import prognosis
    from repro.presentation.lines import fitted
    from repro.world.environments.lists import read_pins
    from repro.world.shipped.causes import known_causes

    path = source or _own_python()
    pins = read_pins(path, python=python, has_all_groups=True)
    causes = known_causes()
    found = possible_causes(causes, pins.versions, python=pins.python or python)
    if as_json or form == "json":
        click.echo(json.dumps(prognosis.document(str(path), pins.python, pins.versions, found), indent=1))
    elif form == "github":
        click.echo(prognosis.github_lines(found))
    else:
        text = prognosis.text(str(path), pins.versions, found, known=len(causes))
        click.echo(fitted(text, width=terminal_width(to_stderr=False)))
    if any(one.is_certain for one in found):
        ctx.exit(ExitCode.HANG)
    is_of_versions = any(not one.is_of_any_version for one in found)
    ctx.exit(ExitCode.INCONCLUSIVE if is_of_versions else ExitCode.NO_HANG)


def _own_python() -> Path:
    """The interpreter that the shell would run: that of the active environment, else the first on the path."""
    active = os.environ.get("VIRTUAL_ENV")
    found = shutil.which("python", path=f"{active}/bin" if active else None) or shutil.which("python3")
    if found is None:
        raise UsageError("no Python was found on the PATH; give an interpreter, a requirements file or a lock file")
    return Path(found)
