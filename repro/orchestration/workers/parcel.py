"""Files on their way from one machine to another: a compressed archive with a bound."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LEFT_BEHIND = "left-behind.txt"
"""In evidence that came from another machine: the files that were too large to be sent, with their sizes."""


@dataclass(frozen=True)
class Parcel:
    """The archive's bytes, and the names of what did not fit."""

    content: bytes
    left_behind: tuple[str, ...] = ()


def pack(files: Mapping[str, Path], *, most_bytes: int) -> Parcel:
    """An archive of the files by the names that they get, of at most this many bytes before compression.

    The smallest go first: what explains a hang are its stacks, what takes room are logs.
    """
    sizes = {name: path.lstat().st_size for name, path in files.items()}
    target, left, room = io.BytesIO(), [], most_bytes
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=1) as archive:
        for name in sorted(files, key=sizes.__getitem__):
            if sizes[name] > room:
                left.append(name)
                continue
            room -= sizes[name]
            try:
                archive.add(files[name], arcname=name, recursive=False)
            except OSError:  # unreadable
                left.append(name)
    return Parcel(target.getvalue(), tuple(left))


def files_in(folder: Path) -> dict[str, Path]:
    """All files and links below a folder, by their paths in it."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def unpack(parcel: Parcel, folder: Path) -> None:
    """The files, in ``folder``, which is made; a list of those that did not fit lies beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(parcel.content), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
    if parcel.left_behind:
        (folder / LEFT_BEHIND).write_text("\n".join([*parcel.left_behind, ""]), "utf-8")
