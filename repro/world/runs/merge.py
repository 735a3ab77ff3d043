"""Merges shards into one run, with the trials, the evidence and the machines of all of them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from repro.core.faulty.conclusion import concluded
from repro.core.matrix.shards import Part, check_whole, whole_command
from repro.errors import UsageError
from repro.model import Trial
from repro.world.runs.kept.locustfile import COPY, FOLDER
from repro.world.runs.store import RunStore, create_run, read_inputs, read_run
from repro.world.runs.trouble import said


def read_parts(folders: Sequence[Path]) -> tuple[Part, ...]:
    """Read the shards in these folders, and check that they are all the shards of one run.

    Raises:
        UsageError: they are not; names what does not fit, or is missing.
        StoreError: one of them cannot be read.
    """
    parts = tuple(Part(run=read_run(folder), inputs=read_inputs(folder)) for folder in folders)
    check_whole(parts)
    for part in parts:
        _check_evidence(part)
    return tuple(sorted(parts, key=lambda part: part.shard.number))


def _check_evidence(part: Part) -> None:
    for trial in _trials(part):
        if trial.evidence and not (part.run.folder / trial.evidence).is_dir():
            raise UsageError(
                f"shard {part.shard} in {part.run.folder} lacks its evidence {trial.evidence}; "
                "copy the whole folder from the machine that ran it"
            )


def merge(parts: Sequence[Part], folder: Path) -> RunStore:
    """Write the merged run of all shards to ``folder``.

    Raises:
        StoreError: it cannot be written.
    """
    first = parts[0]
    store = create_run(
        folder,
        plan=first.run.plan,
        command=whole_command(first.run.command),
        seed=first.run.seed,
        machine=first.run.machine,
        tool_versions=first.run.tool_versions,
        started=min(part.run.started for part in parts),
    )
    try:
        _fill(store, parts)
    except BaseException:
        store.close()
        raise
    return store


def _fill(store: RunStore, parts: Sequence[Part]) -> None:
    store.keep_inputs(parts[0].inputs)
    if parts[0].run.typed is not None:
        store.keep_command(parts[0].run.typed, parts[0].run.typed_in)
    store.keep_machines(machine for part in parts for machine in part.run.machines)
    with said(store.folder):
        for name in {FOLDER, COPY}:
            _copy(parts[0].run.folder / name, store.folder / name)
    for part in parts:
        with said(store.folder):
            for trial in _trials(part):
                if trial.evidence:
                    _copy(part.run.folder / trial.evidence, store.evidence_folder(trial.cell_id, trial.number))
        store.add_trials(_moved(part, store))
    run = store.read()
    store.set_conclusion(concluded(run.cells, run.plan))
    ends = [part.run.ended for part in parts if part.run.ended is not None]
    store.finish(at=max(ends, default=None))


def _moved(part: Part, store: RunStore) -> Iterator[Trial]:
    """The trials with their evidence where it is now."""
    for trial in _trials(part):
        evidence = store.evidence_folder(trial.cell_id, trial.number)
        yield dataclasses.replace(trial, evidence=str(evidence)) if trial.evidence else trial


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)


def _trials(part: Part) -> Iterator[Trial]:
    return (trial for result in part.run.cells for trial in result.trials)
