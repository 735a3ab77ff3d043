"""Two runs compared: the cells that are in both, by what makes them what they are, and which of them changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repro.presentation.markdown import inline, rate_text

Document = Mapping[str, Any]


def compare(one: Document, other: Document) -> dict[str, Any]:
    """Which cells changed their verdict or class, which stayed, which are in one run alone; of two run documents."""
    before, after = ({cell["id"]: cell for cell in run["cells"] if cell["trials"]} for run in (one, other))
    both = [name for name in before if name in after]
    changed = [name for name in both if _sign(before[name]) != _sign(after[name])]
    return {
        "schema": "repro.comparison/1",
        "before": one["run_id"],
        "after": other["run_id"],
        "changed": [_change(before[name], after[name]) for name in changed],
        "same": len(both) - len(changed),
        "only_before": [cell["label"] for name, cell in before.items() if name not in after],
        "only_after": [cell["label"] for name, cell in after.items() if name not in before],
    }


def comparison_markdown(found: Document) -> str:
    """The comparison as Markdown."""
    lines = [f"# {inline(found['before'])} against {inline(found['after'])}", ""]
    if found["changed"]:
        lines += ["| cell | before | after |", "|---|---|---|"]
        lines += [
            f"| {inline(one['label'])} | {one['before']}, {one['rate_before']} | {one['after']}, {one['rate_after']} |"
            for one in found["changed"]
        ]
    else:
        lines.append("No cell changed.")
    lines += ["", f"{found['same']} cells are as they were."]
    for key, words in (("only_before", "only in the first run"), ("only_after", "only in the second run")):
        if found[key]:
            lines.append(f"{len(found[key])} cells are {words}.")
    return "\n".join(lines) + "\n"


def _sign(cell: Document) -> str:
    return f"{cell['verdict']} ({cell['hang_class']})" if cell["hang_class"] else str(cell["verdict"])


def _change(before: Document, after: Document) -> dict[str, str]:
    return {
        "id": before["id"],
        "label": before["label"],
        "before": _sign(before),
        "after": _sign(after),
        "rate_before": rate_text(before["rate"]),
        "rate_after": rate_text(after["rate"]),
    }
