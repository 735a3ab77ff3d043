"""Where a trial's evidence is, seen from a page: only a page at or above the run's folder can say it without telling more."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

Links = Mapping[str, Sequence[tuple[str, str]]]
"""For each trial's evidence folder, the names of its files and where they are from the page."""


def links_to(files: Mapping[str, Sequence[str]], *, run: Path, page: Path) -> Links | None:
    """The links from ``page`` to the files of the evidence folders of ``run``.

    None where the way would lead up and through other folders: their names are nobody's business, and the page would have
    to stay where it is.
    """
    way = Path(os.path.relpath(run.resolve(), page.resolve().parent))
    if ".." in way.parts:
        return None
    return {
        folder: [(name, quote(f"./{(way / folder / name).as_posix()}")) for name in names]
        for folder, names in files.items()
    }
