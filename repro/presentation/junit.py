"""A run as JUnit XML for CI: a test case a cell; a hang, a crash or failing is a failure, untestable is skipped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET  # only writes: nothing is parsed here

from repro.presentation.document import sentences_in
from repro.presentation.markdown import rate_text

_FORBIDDEN = re.compile(
    "[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)
"""What XML cannot hold; and what it could, but no terminal should get: the controls from 7f to 9f, and turns of direction."""
FAILURES = ("hang", "crash", "failing")
MOST_STACKS = 20_000


def junit(document: Mapping[str, Any]) -> str:
    """The report of a run's document (see ``document.py``)."""
    cells = [cell for cell in document["cells"] if cell["trials"]]
    counts = {
        "tests": len(cells),
        "failures": sum(cell["verdict"] in FAILURES for cell in cells),
        "errors": sum(cell["verdict"] == "inconclusive" for cell in cells),
        "skipped": sum(cell["verdict"] == "untestable" for cell in cells),
    }
    suite = ET.Element("testsuite", {"name": _text(document["experiment"]), "timestamp": _text(document["started"])})
    suite.attrib |= {name: str(count) for name, count in counts.items()}
    suite.set("time", f"{sum(trial['seconds'] for cell in cells for trial in cell['trials']):.3f}")
    for cell in cells:
        suite.append(_case(cell, document["experiment"]))
    ET.SubElement(suite, "system-out").text = _text("; ".join(sentences_in(document)))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(cell: Mapping[str, Any], experiment: str) -> ET.Element:
    seconds = sum(trial["seconds"] for trial in cell["trials"])
    attributes = {"name": _text(cell["label"]), "classname": _text(experiment), "time": f"{seconds:.3f}"}
    case = ET.Element("testcase", attributes)
    verdict = cell["verdict"]
    tag = "failure" if verdict in FAILURES else {"untestable": "skipped", "inconclusive": "error"}.get(verdict)
    if tag:
        telling = next((trial for trial in cell["trials"] if trial["hang"]), cell["trials"][0])
        message = f"{verdict}: {rate_text(cell['rate'])}; {telling['reason']}"
        element = ET.SubElement(case, tag, {"message": _text(message)})
        if tag != "skipped":
            element.set("type", _text(cell["hang_class"] or verdict))
        stacks = telling["hang"]["stacks"] if telling["hang"] else ()
        element.text = _text("\n\n".join((telling["reason"], *stacks, telling["command"]))[:MOST_STACKS])
    return case


def _text(value: object) -> str:
    """What XML 1.0 can hold of a text."""
    return _FORBIDDEN.sub("\ufffd", str(value))
