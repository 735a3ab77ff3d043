"""``repro report``: a stored run as Markdown, HTML, JSON or JUnit, without running anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from repro.cli.options import RUNS
from repro.errors import UsageError

EPILOG = """\b
Examples:
  repro report                                 the latest run as Markdown, for an issue tracker
  repro report my-run --format html -o report.html
  repro report my-run --format junit -o junit.xml
  repro report before --against after          which cells changed"""

FORMATS = ("md", "html", "json", "junit")


@click.command("report", epilog=EPILOG)
@click.argument("run", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default="md", show_default=True)
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), help="The file; standard output when left out, report.html in the run's folder for html.")  # fmt: skip
@click.option("--against", metavar="RUN", help="Compare with this run instead: which cells changed.")
@click.option("--no-redact", is_flag=True, help="Keep names, account numbers, keys and message bodies.")
def command(run: str | None, *, form: str, path: Path | None, against: str | None, no_redact: bool) -> None:
    """Write a stored RUN (the latest when left out) as a report.

    User names, homes, hosts, account numbers, keys, tokens and message bodies are redacted.
    """
    from repro.world.store import find_run

    folder = find_run(run, RUNS)
    document = _document(folder, redact=not no_redact)
    if against is not None:
        text = _compared(document, _document(find_run(against, RUNS), redact=not no_redact), form)
    else:
        text = _written(document, form, folder)
    if path is None and form == "html" and against is None:
        path = folder / "report.html"
    if path is None:
        click.echo(text, nl=False)
        return
    _replace(path, text)
    click.echo(str(path), err=True)


def _document(folder: Path, *, redact: bool) -> dict[str, Any]:
    from repro.presentation.document import document
    from repro.presentation.redaction import of_this_machine, redacted
    from repro.world.store import read_run

    whole = document(read_run(folder))
    return redacted(whole, of_this_machine()) if redact else whole


def _written(document: dict[str, Any], form: str, folder: Path) -> str:
    from repro.presentation.junit import junit
    from repro.presentation.markdown import markdown

    if form == "html":
        from repro.presentation.page import page

        return page(document)
    if form == "md":
        return markdown(document, reproducer=_reproducer(folder))
    return junit(document) if form == "junit" else json.dumps(document, indent=1) + "\n"


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
