"""A run as JUnit XML for CI: a test case a cell; a hang, a crash or failing is a failure, untestable is skipped."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET  # only writes: nothing is parsed here

from repro.model import CellVerdict
from repro.presentation.rates import rate_text
from repro.presentation.reports.report import Report, ReportedCell

_FORBIDDEN = re.compile(
    "[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)
"""What XML cannot hold, and what no terminal should get: the controls from 7f to 9f, and turns of direction."""
FAILURES = (CellVerdict.HANG, CellVerdict.CRASH, CellVerdict.FAILING)
OTHER_TAGS = {CellVerdict.UNTESTABLE: "skipped", CellVerdict.INCONCLUSIVE: "error"}
MOST_STACKS = 20_000


def junit(report: Report) -> str:
    """The report of a run as XML."""
    cells = report.tried
    counts = {
        "tests": len(cells),
        "failures": sum(cell.verdict in FAILURES for cell in cells),
        "errors": sum(cell.verdict is CellVerdict.INCONCLUSIVE for cell in cells),
        "skipped": sum(cell.verdict is CellVerdict.UNTESTABLE for cell in cells),
    }
    started = report.started.isoformat()
    suite = ET.Element("testsuite", {"name": _text(report.experiment), "timestamp": started})
    suite.attrib |= {name: str(count) for name, count in counts.items()}
    suite.set("time", f"{sum(_seconds(cell) for cell in cells):.3f}")
    for cell in cells:
        suite.append(_case(cell, report.experiment))
    ET.SubElement(suite, "system-out").text = _text("; ".join(report.sentences))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(cell: ReportedCell, experiment: str) -> ET.Element:
    attributes = {"name": _text(cell.label), "classname": _text(experiment), "time": f"{_seconds(cell):.3f}"}
    case = ET.Element("testcase", attributes)
    tag = "failure" if cell.verdict in FAILURES else OTHER_TAGS.get(cell.verdict)
    if tag:
        telling = next((trial for trial in cell.trials if trial.hang), cell.trials[0])
        message = f"{cell.verdict}: {rate_text(cell.rate)}; {telling.reason}"
        element = ET.SubElement(case, tag, {"message": _text(message)})
        if tag != "skipped":
            element.set("type", _text(cell.hang_class or cell.verdict))
        stacks = telling.hang.stacks if telling.hang else ()
        element.text = _text("\n\n".join((telling.reason, *stacks, telling.command))[:MOST_STACKS])
    return case


def _seconds(cell: ReportedCell) -> float:
    return sum(round(trial.seconds, 3) for trial in cell.trials)


def _text(value: str) -> str:
    """What XML 1.0 can hold of a text."""
    return _FORBIDDEN.sub("\ufffd", value)
