"""``repro report``: a stored run as Markdown, HTML, JSON or JUnit, without running anything."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.completion import words
from repro.cli.options.fail_on import exit_code, fail_on_option, verdicts
from repro.cli.options.shared import LONGEST_SHOWN, Command
from repro.errors import ExitCode, UsageError
from repro.model import CellVerdict
from repro.world.runs import RUNS

if TYPE_CHECKING:
    from repro.presentation.reports.report import Report

EPILOG = """\b
Examples:
  repro report                            the latest run, for an issue tracker
  repro report my-run --format html -o report.html
  repro report my-run --format junit -o junit.xml --fail-on hang,untestable
  repro report before --against after     which cells changed"""

FORMATS = ("md", "html", "json", "junit")


@click.command("report", cls=Command, epilog=EPILOG)
@click.argument("run", required=False, shell_complete=words.runs)
@click.option("--format", "form", type=click.Choice(FORMATS), default="md", show_default=True, help="The format.")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    help="The file (default: standard output; for html, report.html in the run's folder).",
)
@click.option(
    "--against", metavar="RUN", shell_complete=words.runs, help="Compare with this later run: which cells changed."
)
@fail_on_option("none")
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and message bodies.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    run: str | None,
    *,
    form: str,
    path: Path | None,
    against: str | None,
    fail_on: str | None,
    no_redact: bool,
) -> None:
    """Write a report of a stored RUN, by default the latest.

    It is redacted: names of users, home folders and hosts, account numbers, keys, tokens, environment variables and
    message bodies.
    """
    from repro.world.runs.store import find_run

    failing = verdicts(fail_on) if fail_on is not None else ()
    folder = find_run(run, RUNS)
    report, code = _read(folder, failing, redact=not no_redact)
    if against is not None:
        other, _ = _read(find_run(against, RUNS), (), redact=not no_redact)
        text = _compared(report, other, form)
    else:
        path = path or (folder / "report.html" if form == "html" else None)
        text = _written(report, form, folder, path)
    if path is None:
        click.echo(text, nl=False)
    else:
        _replace(path, text)
        click.echo(str(path), err=True)
    ctx.exit(code)


def _read(folder: Path, failing: tuple[CellVerdict, ...], *, redact: bool) -> tuple[Report, ExitCode]:
    """A run's report, and the exit code by what is to fail; the run is let go, as a large one fills the memory."""
    from repro.presentation.reports.report import redacted_report, report_of
    from repro.world.runs.store import read_run
    from repro.world.runs.this_machine import of_this_machine, redacted_place

    run = read_run(folder)
    code = exit_code(run, failing) if failing else ExitCode.NO_HANG
    whole, machines = report_of(run), run.machines
    del run
    if not redact:
        return whole, code
    known = of_this_machine(run=folder, machines=machines)
    return redacted_report(whole, known, run_dir=redacted_place(folder)), code


def _written(report: Report, form: str, folder: Path, path: Path | None) -> str:
    if form == "html" and path is not None:
        return _page(report, folder, path)
    if form == "md":
        from repro.presentation.reports.markdown import markdown

        return markdown(report, reproducer=_reproducer(folder))
    if form == "junit":
        from repro.presentation.reports.junit import junit

        return junit(report)
    from repro.presentation.reports.document import document, text_of

    return text_of(document(report))


def _page(report: Report, folder: Path, path: Path) -> str:
    from repro.presentation.reports.page import links_to, page
    from repro.world.runs.kept.evidence import evidence_files

    links = links_to(evidence_files(folder), run=folder, page=path)
    if links is None:
        click.echo(
            "The page names the evidence without links: they work from the run's folder, where it goes without -o, and"
            " from the folders above it.",
            err=True,
        )
    return page(report, links=links)


def _reproducer(folder: Path) -> str:
    """The file that ``repro export`` wrote into the run's folder, if it did."""
    path = folder / "reproduce.py"
    return path.read_text("utf-8") if path.is_file() else ""


def _compared(one: Report, other: Report, form: str) -> str:
    from repro.presentation.comparison import compare, comparison_document, comparison_markdown

    found = compare(one, other)
    if form not in {"md", "json"}:
        raise UsageError(f"--against goes with --format md or json, not {form}")
    return json.dumps(comparison_document(found), indent=1) + "\n" if form == "json" else comparison_markdown(found)


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all; what is there and is not a file, such as a pipe, is written to."""
    partial = None
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_text(text, "utf-8", "replace")
            return
        path = path.resolve()  # a link stays one
        partial = path.parent / f".repro-report.{os.getpid()}"
        partial.write_text(text, "utf-8", "replace")
        partial.replace(path)
    except (OSError, ValueError, RuntimeError) as error:
        if partial is not None:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"-o {str(path)[:LONGEST_SHOWN]}: {reason}; choose a file in a folder that can be written"
        ) from error
