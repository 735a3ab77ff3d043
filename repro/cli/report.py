"""``repro report``: a stored run as Markdown, HTML, JSON or JUnit, without running anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.failing import exit_code, fail_on_option, verdicts
from repro.cli.options import RUNS
from repro.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from repro.model import StoredRun

EPILOG = """\b
Examples:
  repro report                                 the latest run as Markdown, for an issue tracker
  repro report my-run --format html -o report.html
  repro report my-run --format junit -o junit.xml --fail-on hang,untestable
  repro report before --against after          which cells changed"""

FORMATS = ("md", "html", "json", "junit")


@click.command("report", epilog=EPILOG)
@click.argument("run", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default="md", show_default=True)
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), help="The file; standard output when left out, report.html in the run's folder for html.")  # fmt: skip
@click.option("--against", metavar="RUN", help="Compare with this run instead: which cells changed.")
@fail_on_option("none")
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and message bodies.")
@click.pass_context
def command(ctx: click.Context, /, run: str | None, *, form: str, path: Path | None, against: str | None, fail_on: str | None, no_redact: bool) -> None:  # fmt: skip
    """Write a stored RUN (the latest when left out) as a report.

    User names, homes, hosts, account numbers, keys, tokens, environment variables and message bodies are redacted.
    """
    from repro.world.store import find_run, read_run

    failing = verdicts(fail_on) if fail_on is not None else ()
    stored = read_run(find_run(run, RUNS))
    if against is not None:
        other = read_run(find_run(against, RUNS))
        text = _compared(_document(stored, redact=not no_redact), _document(other, redact=not no_redact), form)
    else:
        path = path or (stored.folder / "report.html" if form == "html" else None)
        text = _written(stored, form, path, redact=not no_redact)
    if path is None:
        click.echo(text, nl=False)
    else:
        _replace(path, text)
        click.echo(str(path), err=True)
    ctx.exit(exit_code(stored, failing) if fail_on is not None else ExitCode.NO_HANG)


def _document(run: StoredRun, *, redact: bool) -> dict[str, Any]:
    from repro.presentation.document import document
    from repro.presentation.redaction import of_this_machine, redacted

    whole = document(run)
    return redacted(whole, of_this_machine(run=run.folder)) if redact else whole


def _written(run: StoredRun, form: str, path: Path | None, *, redact: bool) -> str:
    document = _document(run, redact=redact)
    if form == "html" and path is not None:
        return _page(document, run.folder, path)
    if form == "md":
        from repro.presentation.markdown import markdown

        return markdown(document, reproducer=_reproducer(run.folder))
    if form == "junit":
        from repro.presentation.junit import junit

        return junit(document)
    return json.dumps(document, indent=1) + "\n"


def _page(document: dict[str, Any], folder: Path, path: Path) -> str:
    from repro.presentation.links import links_to
    from repro.presentation.page import page
    from repro.world.store import evidence_files

    links = links_to(evidence_files(folder), run=folder, page=path)
    if links is None:
        click.echo(
            "The page names the evidence without links: they work from the run's folder, where it goes without -o, and from the folders above it.",
            err=True,
        )
    return page(document, links=links)


def _reproducer(folder: Path) -> str:
    """The file that ``repro export`` wrote into the run's folder, if it did."""
    path = folder / "reproduce.py"
    return path.read_text("utf-8") if path.is_file() else ""


def _compared(one: dict[str, Any], other: dict[str, Any], form: str) -> str:
    from repro.presentation.comparison import compare, comparison_markdown

    found = compare(one, other)
    if form not in {"md", "json"}:
        raise UsageError(f"--against goes with --format md or json, not {form}")
    return json.dumps(found, indent=1) + "\n" if form == "json" else comparison_markdown(found)


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"-o {path}: {error.strerror}; choose a folder that is there and can be written") from error
