"""The load on its way to a worker: a locustfile with its own modules, or the folder in which a command was typed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from repro.command import CommandInFolder
from repro.errors import UsageError
from repro.model import TrialOptions
from repro.orchestration.workers.parcel import Parcel, files_in, pack, unpack
from repro.world.runs.kept.locustfile import digests

MOST_BYTES = 100_000_000
_HOME = "home"
_FOLDER = "folder"
_LOAD = "load"


@dataclass(frozen=True, kw_only=True)
class PackedLoad:
    """The trials' options with the files that they name.

    ``digests`` are those of the locustfile and its modules: where a worker has them all in the same place, it uses them
    there, with whatever lies beside them. ``locustfile`` is its path in the parcel.
    """

    options: TrialOptions
    parcel: Parcel
    locustfile: str = ""
    digests: Mapping[str, str] | None = None


def packed(options: TrialOptions) -> PackedLoad:
    """The load of these options.

    Raises:
        UsageError: it is too large.
    """
    if options.command is not None:
        return PackedLoad(options=options, parcel=_pack(_files_of(options.command)))
    path = options.locustfile
    own = digests(path)
    places = {name: Path(os.path.normpath(path.parent / name)) for name in own}
    root = Path(os.path.commonpath([place.parent for place in places.values()]))
    parcel = _pack({f"{_LOAD}/{place.relative_to(root).as_posix()}": place for place in places.values()})
    within = path.relative_to(root).as_posix()
    return PackedLoad(options=options, parcel=parcel, locustfile=f"{_LOAD}/{within}", digests=own)


def unpacked(load: PackedLoad, folder: Path) -> TrialOptions:
    """The options as they are on this machine, what they name being in ``folder`` where it is not here already."""
    options = load.options
    if load.digests is not None and _is_here(options.locustfile, load.digests):
        return options
    unpack(load.parcel, folder)
    if options.command is None:
        return replace(options, locustfile=folder / load.locustfile)
    home = tuple(folder / _HOME / path.name for path in options.command.home)
    (folder / _FOLDER).mkdir(exist_ok=True)
    return replace(options, command=replace(options.command, folder=(folder / _FOLDER).resolve(), home=home))


def _is_here(locustfile: Path, known: Mapping[str, str]) -> bool:
    try:
        return digests(locustfile) == known
    except OSError:
        return False


def _files_of(command: CommandInFolder) -> dict[str, Path]:
    inside = {f"{_FOLDER}/{name}": path for name, path in files_in(command.folder).items()}
    return {**inside, **{f"{_HOME}/{path.name}": path for path in command.home}}


def _pack(files: Mapping[str, Path]) -> Parcel:
    parcel = pack(files, most_bytes=MOST_BYTES)
    if parcel.left_behind:
        raise UsageError(
            f"--dask sends the load to each worker, at most {MOST_BYTES // 1_000_000} MB of it, and "
            f"{parcel.left_behind[-1].partition('/')[2]} does not fit; add what the load does not need to .gitignore, "
            "or use --shard"
        )
    return parcel
