"""The pages of the known causes, each made from its file under ``repro/known`` and from the stored run that shows it.

docs/causes/index.md    the table of all
docs/causes/<id>.md     how one looks in a terminal, why, since when, what cures it, the command
docs/causes/not-seen.md is written by hand: what was tried and did not show itself
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from runs import ROOT, names, unpacked  # beside this file

from repro.core.causes.known_causes import Cause, CausePattern
from repro.core.causes.showing import PartShown, Role, Showing, shown
from repro.model import CellVerdict, StoredRun
from repro.presentation.hang.explanation import FACTS_IN_WORDS
from repro.world.runs.store import read_run
from repro.world.shipped.causes import known_causes

FOLDER = ROOT / "docs" / "causes"
PREFIX = "cause-"
COLUMNS = 100
_URL = re.compile(r"github\.com/([^/]+/[^/]+)/(?:issues|pull)/(\d+)")
_ROLES = (Role.HANGS, Role.CURED)


def pages(printed: Callable[[StoredRun, int], str]) -> Mapping[Path, str]:
    """The text of each page; ``printed`` is what the program prints of a run at so many columns."""
    causes = known_causes()
    texts = {FOLDER / f"{cause.id}.md": page(cause, printed) for cause in causes}
    return {FOLDER / "index.md": index(causes), **texts}


def without_run() -> list[str]:
    """The causes that no stored run shows."""
    kept = set(names())
    return [cause.id for cause in known_causes() if f"{PREFIX}{cause.id}" not in kept]


def index(causes: Sequence[Cause]) -> str:
    """The table of all causes."""
    rows = [
        "# Known causes",
        "",
        "Hangs that people have reported, each shown here by an experiment, with its cure beside it. `repro run`, `watch`, `attach` and `doctor`",
        "name them by the same files. A hang is only recognised by what was seen of it: versions alone never suffice.",
        "",
        "    repro run causes                      every cause: its hang, and beside it its cure",
        "    repro run causes --cause gevent-1957  one of them",
        "    repro run causes --against newest     whether the cures still hold with the newest releases",
        "    repro doctor requirements.txt         which of them a set of packages can have",
        "",
        "What was tried and not seen is on [a page of its own](not-seen.md). [Programs as people write them](programs.md) shows which of their troubles a cause names.",
        "",
        "| cause | class | hung | concerns | cured | cures | looks like it, and is not | upstream |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(cause) for cause in causes),
    ]
    return "\n".join([*rows, ""])


def page(cause: Cause, printed: Callable[[StoredRun, int], str]) -> str:
    """One cause's page."""
    with _run(cause) as run:
        showing, text = _showing(cause, run), printed(run, COLUMNS)
    return "\n".join(
        [
            f"# {cause.id}",
            "",
            f"{_sentence(cause.title)}",
            "",
            f"**Symptom.** {_sentence(cause.shows)}",
            "",
            f"**Needs.** {_sentence(cause.needs)}",
            "",
            f"**Versions.** {_versions(cause)}.",
            "",
            *_likely(cause),
            "**Fixes.** Any one of them is enough. The experiment shows one of them, in its cured cell:",
            "",
            *(f"- {_cure(cure)}" for cure in cause.cures),
            "",
            f"**See it**: `repro run causes --cause {cause.id}`; the whole experiment is `repro run {cause.shown_by}`.",
            "",
            *_shown(showing),
            "",
            "## In a terminal",
            "",
            "```text",
            text.strip("\n"),
            "```",
            "",
            "## How it is recognised",
            "",
            *_evidence(cause),
            "",
            f"**Similar, but another cause.** {_sentence(cause.look_alike)}",
            "",
            "## Upstream",
            "",
            *(f"- <{url}>" for url in cause.upstream),
            "",
            "[All causes](index.md)",
            "",
        ]
    )


@contextlib.contextmanager
def _run(cause: Cause) -> Iterator[StoredRun]:
    with unpacked(f"{PREFIX}{cause.id}") as folder:
        yield read_run(folder)


def _showing(cause: Cause, run: StoredRun) -> Showing:
    return Showing(cause, tuple(shown(cause, role, cell) for role, cell in zip(_ROLES, run.cells, strict=True)))


def _shown(showing: Showing) -> list[str]:
    head = ["| | cell | came to | versions |", "|---|---|---|---|"]
    return [
        *head,
        *(
            f"| {part.role} | {part.result.cell.label} | {_count(part)} | {_run_of(part, showing.cause)} |"
            for part in showing.parts
        ),
    ]


def _run_of(part: PartShown, cause: Cause) -> str:
    first = next(iter(part.result.trials))
    named = {name: first.versions.get(name, "") for name in (*cause.packages, "locust", "gevent")}
    return ", ".join([f"Python {first.python}", *(f"{name} {version}" for name, version in named.items() if version)])


def _count(part: PartShown) -> str:
    """``hung (frozen) 1 of 1`` or ``clean 2 of 2``."""
    hang = next((trial.hang for trial in part.result.trials if trial.hang is not None), None)
    word = f"{part.result.verdict} ({hang.hang_class})" if hang else str(part.result.verdict)
    return f"{word} {part.of if part.result.verdict is CellVerdict.CLEAN else part.seen} of {part.of}"


def _row(cause: Cause) -> str:
    with _run(cause) as run:
        hangs, cured = _showing(cause, run).parts
    cells = [
        f"[{cause.id}]({cause.id}.md): {cause.summary}",
        ", ".join(cause.classes),
        _count(hangs),
        _versions(cause),
        _count(cured),
        " or ".join(map(_cure, cause.cures)),
        cause.look_alike,
        " ".join(_link(url) for url in cause.upstream),
    ]
    return f"| {' | '.join(cells)} |"


def _versions(cause: Cause) -> str:
    named = dict(sorted(cause.packages.items())) | ({"Python": cause.python} if str(cause.python) else {})
    return ", ".join(f"{name} {specifier or 'of any version'}" for name, specifier in named.items())


def _likely(cause: Cause) -> list[str]:
    """What makes ``doctor`` and ``attach`` call it likely; nothing where there is no such thing."""
    conditions = cause.likely
    parts = [
        *([f"{_any_of(conditions.packages)} is installed"] if conditions.packages else []),
        *([f"{_any_of(conditions.without)} is not installed"] if conditions.without else []),
        *([f"the command has {_any_of(conditions.command)}"] if conditions.command else []),
    ]
    return [f"**Likely.** When {', and '.join(parts)}.", ""] if parts else []


def _any_of(words: Sequence[str]) -> str:
    return " or ".join(f"`{word}`" for word in words)


def _cure(cure: str) -> str:
    return f"`{cure}`" if re.fullmatch(r"[\w.-]+([<>=]+[\w.]+|\(.*\))", cure) else _DUNDER.sub(r"`\g<0>`", cure)


_DUNDER = re.compile(r"(?<!`)\b__\w+__\b")
"""Would be read as bold."""


def _link(url: str) -> str:
    found = _URL.search(url)
    return f"[{found[1]}#{found[2]}]({url})" if found else f"<{url}>"


def _evidence(cause: Cause) -> list[str]:
    pieces = [_piece(piece) for piece in cause.evidence]
    return [f"- {piece}" for piece in pieces]


def _piece(piece: CausePattern) -> str:
    parts = [
        *(f"`{frame}` is in the stacks" for frame in piece.frames),
        *(f"nothing will wake `{frame}`" for frame in piece.unwoken),
        *(f"the output matches `{pattern}`" for pattern in piece.output),
        *(FACTS_IN_WORDS[fact] for fact in piece.facts),
    ]
    return "; ".join(parts)


def _sentence(text: str) -> str:
    """The text as a sentence; the name of a package or of a call stays as it is written."""
    first = text.partition(" ")[0]
    is_name = not first.isalpha() or first in _NAMES
    return f"{text if is_name else text[:1].upper() + text[1:]}."


_NAMES = {"gevent", "requests", "boto3"}
