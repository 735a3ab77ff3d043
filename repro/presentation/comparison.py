"""Compares two runs: matches their cells by everything that defines a cell, and finds those that changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from repro.presentation.rates import rate_text
from repro.presentation.reports.markdown import inline
from repro.presentation.reports.report import Report, ReportedCell

SCHEMA = "repro.comparison/1"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A cell whose verdict or hang class changed, with its rate in both runs."""

    id: str
    label: str
    before: str
    after: str
    rate_before: str
    rate_after: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs by their ids, with the cells that changed and the labels of cells that only one of them has."""

    before: str
    after: str
    changed: tuple[Change, ...]
    same: int
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]


def compare(one: Report, other: Report) -> Comparison:
    """Find the cells whose verdict or class changed, those that did not change, and those that only one run has."""
    before, after = ({cell.id: cell for cell in run.tried} for run in (one, other))
    both = [name for name in before if name in after]
    changed = [name for name in both if _sign(before[name]) != _sign(after[name])]
    return Comparison(
        before=one.run_id,
        after=other.run_id,
        changed=tuple(_change(before[name], after[name]) for name in changed),
        same=len(both) - len(changed),
        only_before=tuple(cell.label for name, cell in before.items() if name not in after),
        only_after=tuple(cell.label for name, cell in after.items() if name not in before),
    )


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The comparison as a JSON document."""
    return {"schema": SCHEMA, **asdict(found)}


def comparison_markdown(found: Comparison) -> str:
    """The comparison as Markdown."""
    lines = [f"# {inline(found.before)} against {inline(found.after)}", ""]
    if found.changed:
        lines += ["| cell | before | after |", "|---|---|---|"]
        lines += [
            f"| {inline(one.label)} | {one.before}, {one.rate_before} | {one.after}, {one.rate_after} |"
            for one in found.changed
        ]
    else:
        lines.append("No cell changed.")
    lines += ["", f"{found.same} cells are as they were."]
    for labels, words in ((found.only_before, "only in the first run"), (found.only_after, "only in the second run")):
        if labels:
            lines.append(f"{len(labels)} cells are {words}.")
    return "\n".join(lines) + "\n"


def _sign(cell: ReportedCell) -> str:
    return f"{cell.verdict} ({cell.hang_class})" if cell.hang_class else str(cell.verdict)


def _change(before: ReportedCell, after: ReportedCell) -> Change:
    return Change(
        id=before.id,
        label=before.label,
        before=_sign(before),
        after=_sign(after),
        rate_before=rate_text(before.rate),
        rate_after=rate_text(after.rate),
    )
