"""Makes every sample of output in the documents anew, and the pages of the known causes, from docs/examples/runs.

    python benchmarks/samples                 write the samples and the reports under docs/examples
    python benchmarks/samples check           say which are not what the program prints now, and exit with 1
    python benchmarks/samples keep NAME RUN   keep a run for samples, without the names of this machine
    python benchmarks/samples causes FOLDER   keep the runs of `repro run causes --out FOLDER`, one for each cause's page

A sample is a block of code below a line that names its run, the columns of the terminal, and which paragraphs are shown
(`first`, `last`, or one by its number, -2 for the last but one; all when left out):

    <!-- sample: upgrade 100 first last -->
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))
from causes import PREFIX, pages  # beside this file
from runs import ROOT, keep, unpacked

from repro.core.scrubbing.redaction import redactor
from repro.model import StoredRun
from repro.presentation.console import summary
from repro.presentation.hunt.answers import block_of
from repro.presentation.reports.markdown import markdown
from repro.presentation.reports.page import page
from repro.presentation.reports.report import redacted_report, report_of
from repro.world.runs.store import read_run

EXAMPLES = ROOT / "docs" / "examples"
REPORTED = ("locust-2637", "crossed", "bisect-urllib3", "locust-2637-whole")
"""The runs whose reports are shown whole."""
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SAMPLE = re.compile(
    r"(?P<head><!-- sample: (?P<name>\S+) (?P<columns>\d+)(?P<parts>[ a-z0-9-]*?) -->\n```text\n)(?P<body>.*?)(?P<tail>```\n)",
    re.DOTALL,
)
OF_THE_FOLDER = ("Evidence: ", "Next: ")


def made() -> Mapping[Path, str]:
    """The text of every document with samples and of every report, as it is to be."""
    texts: dict[Path, str] = {}
    for document in DOCUMENTS:
        if document.parent != EXAMPLES and SAMPLE.search(text := document.read_text("utf-8")):
            texts[document] = SAMPLE.sub(lambda found: found["head"] + sample(found) + found["tail"], text)
    for name in REPORTED:
        with unpacked(name) as folder:
            report = redacted_report(report_of(read_run(folder)), redactor())
        texts[EXAMPLES / f"{name}.md"] = markdown(report)
        texts[EXAMPLES / f"{name}.html"] = page(report)
    return texts | pages(printed)


def sample(found: re.Match[str]) -> str:
    """What the program prints of a run, at so many columns."""
    with unpacked(found["name"]) as folder:
        text = printed(read_run(folder), int(found["columns"]))
    paragraphs = text.strip("\n").split("\n\n")
    places = {"first": 0, "last": -1}
    shown = [paragraphs[places[part] if part in places else int(part)] for part in found["parts"].split()]
    return "\n\n".join(shown or paragraphs) + "\n"


def printed(run: StoredRun, columns: int) -> str:
    """The end of ``repro run``, ``bisect`` or ``blame`` on a terminal, without the lines that name the run's folder."""
    if run.hunt is not None:
        text = block_of(run.hunt, run.cells, command=run.command, width=columns)
    else:
        screen = Console(file=io.StringIO(), width=columns, force_terminal=True, color_system=None)
        summary(screen, run)
        text = screen.file.getvalue()  # type: ignore[attr-defined]  # the one from above
    return "\n".join(line.rstrip() for line in text.splitlines() if not line.startswith(OF_THE_FOLDER))


def main(words: list[str]) -> int:
    """Write, check or keep."""
    if words[:1] == ["keep"]:
        print(keep(words[1], Path(words[2])))
        return 0
    if words[:1] == ["causes"]:
        for run in sorted(Path(words[1]).iterdir()):
            print(keep(f"{PREFIX}{run.name}", run))
        return 0
    differing = {path: text for path, text in made().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in differing.items():
        print(path.relative_to(ROOT))
        if words != ["check"]:
            path.write_text(text, "utf-8")
    return int(words == ["check"] and bool(differing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
