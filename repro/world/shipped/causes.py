"""Reads the known causes, ``repro/known/*.toml``.

id, title, summary, classes, cure, shown_by, upstream needs, shows, cures   what else it takes, how it shows,
requirements (or steps) one of which cures it [packages]      a distribution and the versions concerned, as specifiers
[[evidence]]    frames, frames that nothing wakes (`unwoken`) and output that must be seen together; one such piece is
enough
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from repro.core.causes.known_causes import Cause, CausePattern
from repro.errors import StoreError

FOLDER = Path(__file__).parents[2] / "known"

_KEYS = {
    *("id", "title", "summary", "classes", "packages", "evidence"),
    *("cure", "cures", "needs", "shows", "shown_by", "upstream"),
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
    )


def _evidence(piece: Mapping[str, Any]) -> CausePattern:
    if not piece or set(piece) - {"frames", "unwoken", "output"}:
        raise ValueError("a piece of evidence has the keys `frames`, `unwoken` and `output`, or one of them")
    for pattern in piece.get("output", ()):
        re.compile(pattern)
    return CausePattern(
        frames=tuple(piece.get("frames", ())),
        unwoken=tuple(piece.get("unwoken", ())),
        output=tuple(piece.get("output", ())),
    )
