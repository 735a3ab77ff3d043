"""What came of load tests as people write them, and of the README's: typed as people type them, and the cause of each.

The cases are those of ``tests/cli/cases``; the README's are kept runs of ``docs/examples/runs``.

    python benchmarks/programs.py run [RESULTS]      run those that RESULTS does not have yet, a line of JSON for each cell
    python benchmarks/programs.py table [RESULTS]    the rows of docs/causes/programs.md

RESULTS is benchmarks/programs.jsonl unless it is given.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cli"))
sys.path.insert(0, str(Path(__file__).parent / "samples"))
from runs import unpacked  # beside the samples
from test_cases import TRUTHS, WITHOUT, Case, repro  # beside the cases: what is typed, and in which environment

from repro.world.runs.store import read_run

RESULTS = Path(__file__).with_name("programs.jsonl")
CLEAN = "clean"
README = ("upgrade", "locust-2637", "bisect-urllib3", "cause-gevent-1957-frozen")
"""The kept runs of what the README shows."""


def cases() -> Iterator[tuple[str, Case]]:
    """Each case, then each without what it needs, or as it hangs."""
    yield from TRUTHS.items()
    yield from WITHOUT.items()


def run(results: Path) -> None:
    """Run the cases that are missing."""
    done = {(row["case"], row["typed"]) for row in rows(results)}
    for name, case in cases():
        if (name, case.typed) in done:
            continue
        with tempfile.TemporaryDirectory() as folder:
            document, _ = repro("run --trials 1", name, replace(case, truths=[]), Path(folder))
        with results.open("a", encoding="utf-8") as file:
            for cell in document["cells"]:
                file.write(json.dumps(_row(name, case, cell)) + "\n")
        print(name, case.typed, flush=True)


def _row(name: str, case: Case, cell: Mapping[str, Any]) -> dict[str, Any]:
    (trial,) = cell["trials"]
    return {
        "case": name,
        "typed": case.typed,
        "cell": cell["label"],
        "verdict": cell["verdict"],
        "hang_class": trial.get("hang_class") or "",
        "cause": trial.get("cause") or "",
    }


def rows(results: Path) -> list[dict[str, Any]]:
    """The lines that are there."""
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text("utf-8").splitlines()]


def table(results: Path) -> str:
    """The rows of the document, in the order of the cases."""
    order = [(name, case.typed) for name, case in cases()]
    found = sorted(rows(results), key=lambda row: order.index((row["case"], row["typed"])))
    lines = ["| program | typed behind `repro run` | cell | came to | cause |", "|---|---|---|---|---|"]
    of_readme = ["| typed | cells | came to | causes named |", "|---|---|---|---|"]
    return "\n".join([*lines, *map(_line, found), "", "Of the README:", "", *of_readme, *map(_readme_line, README)])


def _readme_line(name: str) -> str:
    """What a kept run came to: how many cells by verdict, and how many trials a cause was named in."""
    with unpacked(name) as folder:
        run = read_run(folder)
    verdicts = Counter(cell.verdict.value for cell in run.cells)
    findings = [trial.findings for cell in run.cells for trial in cell.trials if trial.verdict.value != CLEAN]
    causes = Counter(found.cause.id for found in findings if found is not None and found.cause is not None)
    came_to = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common())
    named = ", ".join(
        f"[{cause}]({cause}.md) in {count} trial{'s' if count > 1 else ''}" for cause, count in causes.most_common()
    )
    return f"| `{run.command}` | {len(run.cells)} | {came_to} | {named} |"


def _line(row: Mapping[str, Any]) -> str:
    verdict = f"{row['verdict']} ({row['hang_class']})" if row["hang_class"] else row["verdict"]
    cells = (row["case"], f"`{row['typed']}`", row["cell"] or "the only one", verdict, _cause(row))
    return f"| {' | '.join(cells)} |"


def _cause(row: Mapping[str, Any]) -> str:
    """The page of the cause that was named, "new" where none was, and nothing where there was no trouble."""
    if row["cause"]:
        return f"[{row['cause']}]({row['cause']}.md)"
    return "" if row["verdict"] == CLEAN else "new"


def main(words: list[str]) -> None:
    """Run, or print the table."""
    results = Path(words[1]) if len(words) > 1 else RESULTS
    if words[:1] == ["run"]:
        run(results)
    elif words[:1] == ["table"]:
        print(table(results))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
