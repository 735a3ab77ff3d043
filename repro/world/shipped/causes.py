"""Reads the known causes, ``repro/known/*.toml``.

id, title, summary, classes, cure, shown_by, upstream
python                the interpreters that can have it, as specifiers; all where it is not given
needs, shows, cures   what else it takes, how it shows, requirements (or steps) one of which cures it
[packages]            a distribution and the versions concerned, as specifiers
[likely]              what beside the versions makes it likely: packages, without (packages), command (words)
[claim]               the levels of the experiment with which it hangs, and with which it is cured; trials of each
[[evidence]]          what must be seen together; one such piece is enough
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from repro.core.causes.known_causes import Cause, CausePattern, Claim, Conditions, Fact
from repro.errors import StoreError

FOLDER = Path(__file__).parents[2] / "known"

_KEYS = {
    *("id", "title", "summary", "classes", "packages", "evidence", "claim", "likely", "python"),
    *("cure", "cures", "needs", "shows", "shown_by", "upstream", "look_alike"),
}


def known_causes(folder: Path = FOLDER) -> tuple[Cause, ...]:
    """All known causes, by the names of their files.

    Raises:
        StoreError: a file cannot be used; names the file and the key.
    """
    return tuple(_read(path) for path in sorted(folder.glob("*.toml")))


def _read(path: Path) -> Cause:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        return _cause(data)
    except KeyError as error:
        raise StoreError(f"{path}: the key {error} is missing; add it, as in the other files beside it") from error
    except (OSError, ValueError, InvalidSpecifier, re.error, AttributeError, TypeError) as error:
        raise StoreError(f"{path}: {error}; correct it, as in the other files beside it") from error


def _cause(data: Mapping[str, Any]) -> Cause:
    if unknown := set(data) - _KEYS:
        raise ValueError(f"unknown key {min(unknown)}")
    return Cause(
        id=data["id"],
        title=data["title"],
        classes=tuple(data["classes"]),
        packages={name: SpecifierSet(text) for name, text in data["packages"].items()},
        evidence=tuple(_evidence(piece) for piece in data["evidence"]),
        cure=data["cure"],
        shown_by=data["shown_by"],
        upstream=tuple(data.get("upstream", ())),
        needs=data.get("needs", ""),
        shows=data.get("shows", ""),
        cures=tuple(data.get("cures", ())),
        summary=data.get("summary", ""),
        look_alike=data.get("look_alike", ""),
        claim=_claim(data["claim"]),
        python=SpecifierSet(data.get("python", "")),
        likely=_conditions(data.get("likely", {})),
    )


def _conditions(data: Mapping[str, Any]) -> Conditions:
    if unknown := set(data) - {"packages", "without", "command"}:
        raise ValueError(f"likely: unknown key {min(unknown)}")
    if any(isinstance(words, str) for words in data.values()):
        raise ValueError("likely: each of its keys has a list of words")
    return Conditions(**{name: tuple(words) for name, words in data.items()})


def _claim(data: Mapping[str, Any]) -> Claim:
    if unknown := set(data) - {"hangs", "cured", "trials"}:
        raise ValueError(f"claim: unknown key {min(unknown)}")
    if data["hangs"] == data["cured"]:
        raise ValueError("claim: the same levels cannot hang and be cured")
    return Claim(hangs=dict(data["hangs"]), cured=dict(data["cured"]), trials=data.get("trials", Claim.trials))


def _evidence(piece: Mapping[str, Any]) -> CausePattern:
    if not piece or set(piece) - {"frames", "unwoken", "output", "facts"}:
        raise ValueError("a piece of evidence has the keys `frames`, `unwoken`, `output` and `facts`, or one of them")
    for pattern in piece.get("output", ()):
        re.compile(pattern)
    return CausePattern(
        frames=tuple(piece.get("frames", ())),
        unwoken=tuple(piece.get("unwoken", ())),
        output=tuple(piece.get("output", ())),
        facts=tuple(map(Fact, piece.get("facts", ()))),
    )
