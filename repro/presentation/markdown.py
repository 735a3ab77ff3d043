"""A run as Markdown, to be pasted into an issue tracker: short enough for one, and no text of a cell can break it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.core.judge.timeline import sparkline
from repro.core.scrubbing.terminal import for_terminal
from repro.presentation.document import sentences_in
from repro.presentation.telling import telling_trials

MOST_CHARACTERS = 60_000
"""Trackers refuse more."""

MOST_TEXT = 700
MOST_PINS = 150
SHOWN_PACKAGES = ("locust", "gevent", "greenlet", "urllib3", "boto3", "botocore", "requests")
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much of a run there is room for: rows of the table, kinds of hang, characters of a stack, sets of versions."""

    rows: int
    kinds: int
    stack: int
    sets: int


SIZES = (Sizes(120, 6, 2_500, 20), Sizes(60, 3, 1_200, 10), Sizes(25, 2, 500, 5), Sizes(10, 1, 200, 2))


def markdown(document: Document, *, reproducer: str = "") -> str:
    """The report of a run's document (see ``document.py``); ``reproducer`` is a file's text to go with it.

    What does not fit is left out in this order: rows, kinds of hang and the ends of stacks, then the reproducer.
    """
    inline_file = _folded("A file that shows it by itself: `uv run reproduce.py`", _fenced(reproducer, "python"))
    file_beside = "The file that shows it by itself is too long for here: attach `reproduce.py`."
    for file in (inline_file, file_beside) if reproducer else ("",):
        for sizes in SIZES:
            text = "\n\n".join(part for part in _parts(document, sizes, file) if part) + "\n"
            if len(text) < MOST_CHARACTERS:
                return text
    raise AssertionError(f"even the smallest report has {MOST_CHARACTERS} characters")  # each of its parts is bounded


def _parts(document: Document, sizes: Sizes, file: str) -> list[str]:
    return [
        f"# {inline(document['experiment'], most=200)}: {_headline(document)}",
        _fenced(str(document["block"])[:4_000]) if document.get("block") else "",
        f"**{inline('; '.join(sentences), most=2_000)}**" if (sentences := sentences_in(document)) else "",
        "## Expected\n\nThe load runs its time, every operation ends, and users and process end with it.",
        "## What happens\n\n" + _table(document["cells"], sizes.rows),
        *_kinds(document, sizes),
        "## Versions\n\n" + _versions(document["cells"], sizes.sets),
        f"## How to run it again\n\n{_fenced(str(document['command'])[:2_000])}",
        file,
        f"repro {inline(document['tool_versions'].get('repro', ''))}, {inline(document['started'])}, seed {document['seed']}",
    ]  # fmt: skip


def _headline(document: Document) -> str:
    counted: dict[str, int] = {}
    for cell in document["cells"]:
        if cell["trials"]:
            counted[cell["verdict"]] = counted.get(cell["verdict"], 0) + 1
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items(), key=lambda one: -one[1]))


def _table(cells: Sequence[Document], most: int) -> str:
    tried = [cell for cell in cells if cell["trials"]]
    order = sorted(range(len(tried)), key=lambda index: (tried[index]["verdict"] != "hang", index))[:most]
    lines = ["| verdict | hang rate, 95 % interval | cell |", "|---|---|---|"]
    lines += [_row(tried[index]) for index in sorted(order)]
    if len(tried) > most:
        lines.append(f"\n{len(tried) - most} more cells are left out here.")
    return "\n".join(lines)


def _row(cell: Document) -> str:
    kind = f" ({cell['hang_class']})" if cell["hang_class"] else ""
    return f"| {cell['verdict']}{kind} | {rate_text(cell['rate'])} | {inline(cell['label'], most=300)} |"


def rate_text(rate: Mapping[str, Any] | None) -> str:
    """``3 of 40, 2–20 %``."""
    if not rate:
        return "none counted"
    return f"{rate['hits']} of {rate['n']}, {rate['low'] * 100:.0f}–{rate['high'] * 100:.0f} %"


def _kinds(document: Document, sizes: Sizes) -> list[str]:
    telling = telling_trials(document)
    found = [
        _kind(kind, *telling[kind["fingerprint"], kind["hang_class"]], sizes.stack)
        for kind in document["hangs"][: sizes.kinds]
    ]
    left = len(document["hangs"]) - sizes.kinds
    return [*found, *([f"{left} more kinds of hang are left out here."] if left > 0 else [])]


def _kind(kind: Document, cell: Document, trial: Document, most: int) -> str:
    hang = trial["hang"]
    parts = [
        f"## {kind['trials']} × {kind['hang_class']}",
        inline(hang["explanation"], most=MOST_TEXT * 2),
        inline(hang["bound"]["why"], most=MOST_TEXT),
        inline(hang["cause_text"], most=MOST_TEXT * 2),
        f"Seen in {inline(cell['label'], most=300)}:",
    ]
    if trial["timeline"]:
        ended, stuck = ([row[column] for row in trial["timeline"]] for column in (1, 2))
        parts.append(_fenced(f"ended/s {sparkline(ended)}\nstuck   {sparkline(stuck)}"))
    stacks = [stack[:most] for stack in hang["stacks"]]
    if stacks:
        parts.append(_fenced(stacks[0]))
    if stacks[1:]:
        parts.append(_folded(f"{len(stacks) - 1} more stacks", "\n\n".join(_fenced(stack) for stack in stacks[1:6])))
    return "\n\n".join(part for part in parts if part)


def _versions(cells: Sequence[Document], most: int) -> str:
    sets: dict[str, list[str]] = {}
    for cell in cells:
        if cell["versions"]:
            text = ", ".join(f"{name} {cell['versions'][name]}" for name in SHOWN_PACKAGES if name in cell["versions"])
            sets.setdefault(f"Python {cell['python']}, {text}", []).append(cell["id"])
    lines = [f"- {inline(text)} ({len(ids)} cells)" for text, ids in list(sets.items())[:most]]
    if len(sets) > len(lines):
        lines.append(f"- {len(sets) - len(lines)} more sets")
    whole = next((cell["versions"] for cell in cells if cell["verdict"] == "hang" and cell["versions"]), None)
    pins = "\n".join(f"{name}=={version}" for name, version in sorted((whole or {}).items())[:MOST_PINS])[
        : MOST_PINS * 40
    ]
    return "\n".join(lines) + (f"\n\n{_folded('All pins of the first cell that hangs', _fenced(pins))}" if pins else "")


def inline(text: Any, *, most: int = MOST_TEXT) -> str:
    """Untrusted text on one line: nothing in it is markup, a mention or a cell's end."""
    plain = " ".join(for_terminal(str(text)).split())
    plain = plain if len(plain) <= most else plain[: most - 1] + "…"
    return re.sub(r"([\\`*_{}\[\]<>|#~!])", r"\\\1", plain).replace("@", "@\u200b")


def _fenced(text: str, language: str = "text") -> str:
    """Untrusted text in a fence longer than any in it."""
    plain = "\n".join(for_terminal(line) for line in text.splitlines())
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{plain}\n{fence}"


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
