"""A trial's folder of evidence, once its processes have ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repro.core.scrubbing.credentials import conceal_bytes, forms

PART_BYTES = 8 * 1024 * 1024


def conceal_files(folder: Path, secrets: Sequence[str]) -> None:
    """Put the marker in the place of every secret in every file of it: a cell may print what its environment gave it.

    A file is read part by part, the parts overlapping by the longest secret: output may be hundreds of megabytes.
    """
    overlap = max((len(form.encode()) for form in forms(secrets)), default=0)
    if not overlap:
        return
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            _conceal_file(path, secrets, overlap)


def _conceal_file(path: Path, secrets: Sequence[str], overlap: int) -> None:
    with path.open("r+b") as file:
        start = 0
        while part := file.read(PART_BYTES):
            concealed = conceal_bytes(part, secrets)
            if concealed != part:
                file.seek(start)
                file.write(concealed)
            if len(part) < PART_BYTES:
                return
            start += len(part) - overlap
            file.seek(start)
