"""A run as one HTML page that opens offline: the matrix at a glance, filters, timelines, stacks, the bisection.

The page's text is made here with autoescaping; what is drawn only when it is opened (timelines, stacks) comes from a
JSON block, put into the page as text alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from repro.presentation.markdown import rate_text

SIGNS = {"clean": "·", "hang": "H", "crash": "X", "failing": "F", "untestable": "U", "inconclusive": "?"}


def page(document: Mapping[str, Any]) -> str:
    """The page of a run's document (see ``document.py``)."""
    templates = Environment(
        loader=PackageLoader("repro.presentation"), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    tried = [cell for cell in document["cells"] if cell["trials"]]
    varied = [name for name in document["varied"] if len({str(cell["factors"].get(name)) for cell in tried}) > 1]
    return templates.get_template("page.html.jinja").render(
        document=document,
        cells=tried,
        varied=varied,
        levels={name: _levels(tried, name) for name in varied},
        signs=SIGNS,
        rate_text=rate_text,
        probes=_bars(document),
        data=_embedded(_details(tried)),
    )


def _levels(cells: list[Mapping[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(_shown(cell["factors"].get(name, "")) for cell in cells))


def _shown(level: object) -> str:
    return str(level).lower() if isinstance(level, bool) else str(level) if level != "" else "none"


def _details(cells: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What the page draws when it is asked to; each text of a stack is there once."""
    texts: dict[str, int] = {}
    trials = {
        cell["id"]: [
            {
                "n": trial["number"],
                "verdict": trial["verdict"],
                "reason": trial["reason"],
                "command": trial["command"],
                "evidence": trial["evidence"],
                "timeline": trial["timeline"],
                "since": trial["hang"]["stuck_since_s"] if trial["hang"] else None,
                "stacks": [texts.setdefault(text, len(texts)) for text in trial["hang"]["stacks"]] if trial["hang"] else [],
                "rungs": [[rung["name"], rung["file"], rung["refusal"]] for rung in trial["rungs"]],
            }
            for trial in cell["trials"]
        ]
        for cell in cells
    }  # fmt: skip
    return {"trials": trials, "texts": list(texts)}


def _embedded(value: object) -> Markup:
    """JSON inside a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # every sign that matters to HTML is escaped above


def _bars(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bisection as rows: a release, its rate with its interval in percent, whether it is the answer."""
    answer = document.get("answer") or {}
    return [
        {"name": name, "text": rate_text(rate), "low": rate["low"] * 100, "width": max(1.0, (rate["high"] - rate["low"]) * 100), "at": rate["hits"] / rate["n"] * 100, "is_answer": name == answer.get("release")}
        for name, rate in (answer.get("trials") or {}).items()
    ]  # fmt: skip
