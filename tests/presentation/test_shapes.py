"""Every shape of the table does away with its example, in every output, and leaves its look-alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro.core.scrubbing.redaction import redactor
from repro.core.scrubbing.shape import Shape
from repro.core.scrubbing.shapes import SHAPES
from repro.core.scrubbing.source import redact_source
from repro.model import StoredRun
from repro.presentation.reports.document import document, text_of
from repro.presentation.reports.junit import junit
from repro.presentation.reports.markdown import markdown
from repro.presentation.reports.page import page
from repro.presentation.reports.report import redacted_report, report_of
from repro.world.runs.this_machine import of_this_machine

every = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
REDACT = redactor()
OURS = (
    "0f1f2049ac2b4d5e6f708192a3b4c5d6e7f80912",  # a commit
    "3f9c2a1b4d5e",  # a cell
    "123e4567-e89b-42d3-a456-426614174000",
    "gevent==24.10.3 urllib3 1.26.18 greenlet 3.1.1",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "repro run known/clean --set seconds=2 --set launch=cli,library --trials 1",
)


@every
def test_its_example_goes_and_its_look_alike_stays(shape: Shape) -> None:
    assert shape.secret in shape.example
    assert shape.secret not in shape.applied(shape.example, shape.example.lower()), "by the shape alone"
    assert shape.secret not in REDACT(shape.example)
    assert REDACT(REDACT(shape.example)) == REDACT(shape.example)
    assert REDACT(shape.stays) == shape.stays


@pytest.mark.parametrize("text", OURS)
def test_what_this_program_says_of_itself_stays(text: str) -> None:
    assert REDACT(text) == text


@every
def test_no_output_has_its_example(shape: Shape, stored: Callable[..., StoredRun]) -> None:
    """The text stands in labels, levels, reasons, stacks, commands and the machine of the run."""
    report = report_of(replace(stored(text=f"{shape.example} "), folder=Path("run")))
    made = redacted_report(report, of_this_machine(run=Path("run")))
    texts = {
        "page": page(made, links={}),
        "md": markdown(made, reproducer=""),
        "json": text_of(document(made)),
        "junit": junit(made),
        "--json": json.dumps(document(made), indent=1),
    }
    assert [name for name, text in texts.items() if re.search(rf"(?<![\w/]){re.escape(shape.secret)}", text)] == []


@every
@pytest.mark.parametrize("form", ["x = {!r}\n", "x = f{!r}\n", "# {}\n", "def f():\n    '''Doc.\n\n    {}\n    '''\n"])
def test_no_exported_source_has_its_example(shape: Shape, form: str) -> None:
    example = shape.example.replace("\n", " ") if form.startswith("#") else shape.example
    text = form.format(example.replace("{", "{{").replace("}", "}}") if "f{" in form else example)
    assert shape.secret not in redact_source(text, REDACT).removeprefix("def f")
