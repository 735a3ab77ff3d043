"""A run's folder: the only door through which a run is written and read back.

    <run>/
      run.sqlite               the plan, and a row a trial; a commit after every trial
      run.lock                 held by the program that writes this run
      evidence/<cell>-<n>/     what was kept of trial n of a cell
      load/                    the locustfile as it was (see ``kept_locustfile.py``)

One SQLite file in WAL mode: a program that is killed loses at most the trials that were under way, and a report can
be made while the run is under way. Whoever writes holds ``run.lock``, so that two programs never number trials alike.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from repro.answer import BisectionRecord, BlameRecord, HuntRecord
from repro.command import CommandLine, Typed
from repro.core.matrix.conclusion import conclude
from repro.core.matrix.hazards import result_of
from repro.core.matrix.shards import share
from repro.errors import MissingRunError, StoreError
from repro.model import Cell, CellResult, Conclusion, Machine, Plan, Shard, StoredRun, Trial, Verdict
from repro.world.runs import older
from repro.world.runs.documents import adapter, encodable, to_json
from repro.world.runs.hunt_documents import hunt_of
from repro.world.runs.trouble import FILE, said

if TYPE_CHECKING:
    pass

MAKING = "run.sqlite.making"
LOCK = "run.lock"
EVIDENCE = "evidence"
SCHEMA_VERSION = 2
"""2: a rung says its kind and its process; conclusion and hunt are records. Runs of 1 are read too, see ``older.py``
and ``hunt_documents.py``."""
APPLICATION_ID = 0x72657072
"""``repr`` in ASCII, in the file's header: how a run is distinguished from somebody else's SQLite file."""
BUSY_S = 10.0

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    cell_id TEXT NOT NULL, number INTEGER NOT NULL, verdict TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (cell_id, number)
);
"""
_UNFINISHED = {Verdict.INTERRUPTED, Verdict.ERROR}


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One run in the list of runs. If it cannot be read, ``problem`` says why and ``started`` is its file's time."""

    folder: Path
    started: datetime
    experiment: str = ""
    cells: int = 0
    trials: int = 0
    hangs: int = 0
    is_finished: bool = False
    problem: str = ""


class RunStore:
    """A run that this program writes. Made by ``create_run`` and ``open_run``; used from one thread."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: IO[str]) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = lock
        self._host = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_trial(self, trial: Trial) -> None:
        """Store a trial and commit; replaces one with the same cell and number.

        Raises:
            StoreError: the disk is full, or the file cannot be written.
        """
        self.add_trials([trial])

    def add_trials(self, trials: Iterable[Trial]) -> None:
        """Store several trials in one transaction."""
        with said(self.folder), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO trials VALUES (?, ?, ?, ?)", map(self._row, trials))

    def _row(self, trial: Trial) -> tuple[str, int, str, str]:
        evidence = _relative(trial.evidence, self.folder)
        whole = dataclasses.replace(trial, evidence=evidence, machine=trial.machine or self._host)
        return (trial.cell_id, trial.number, trial.verdict.value, to_json(whole))

    def drop_trial(self, cell_id: str, number: int) -> None:
        """Delete a trial and its evidence."""
        with said(self.folder), self._connection:
            self._connection.execute("DELETE FROM trials WHERE cell_id = ? AND number = ?", (cell_id, number))
        self.drop_evidence(cell_id, number)

    def drop_evidence(self, cell_id: str, number: int) -> None:
        """Delete a trial's evidence, but not the trial."""
        shutil.rmtree(self.evidence_folder(cell_id, number), ignore_errors=True)

    def finished_trials(self) -> tuple[Trial, ...]:
        """The trials that a resumed run does not repeat: all except interrupted ones and internal errors."""
        return tuple(trial for trial in self._trials() if trial.verdict not in _UNFINISHED)

    def evidence_folder(self, cell_id: str, number: int) -> Path:
        """The folder for a trial's evidence, which may not exist yet."""
        return self.folder / EVIDENCE / f"{cell_id}-{number}"

    def add_cell(self, cell: Cell) -> None:
        """Add a cell that is not in the plan; does nothing if it is there already."""
        with said(self.folder):
            plan: Plan = adapter(Plan).validate_json(_facts(self._connection)["plan"])
        if cell.id not in {known.id for known in plan.cells}:
            self._set("plan", to_json(dataclasses.replace(plan, cells=(*plan.cells, cell))))

    def extend(self, plan: Plan, *, command: str) -> None:
        """Replace the plan with a larger one that contains it, and the command with the one that runs it."""
        with said(self.folder):
            own: Plan = adapter(Plan).validate_json(_facts(self._connection)["plan"])
        self._set("plan", to_json(dataclasses.replace(own, cells=plan.cells, cover=plan.cover)))
        self._set("command", command)

    def set_conclusion(self, conclusion: Conclusion) -> None:
        """Store the conclusion."""
        self._set("conclusion", to_json(conclusion))

    def set_hunt(self, hunt: HuntRecord) -> None:
        """Store the request and the answer of a bisection or a blame."""
        self._set("blame" if isinstance(hunt, BlameRecord) else "bisection", to_json(hunt))

    def on_machine(self, machine: Machine) -> None:
        """Set the machine of all trials that are added from now on and name none themselves."""
        self._host = machine.host
        self.keep_machines([machine])

    def keep_capacity(self, backend: str, operations_s: float) -> None:
        """Store a backend's capacity on this machine without other load, in operations a second."""
        with said(self.folder):
            own = [one for one in _machines(_facts(self._connection)) if one.host == self._host]
        self.keep_machines(
            dataclasses.replace(one, capacities={**one.capacities, backend: operations_s}) for one in own
        )

    def keep_machines(self, machines: Iterable[Machine]) -> None:
        """Store the machines that run trials; the newest facts about each replace older ones."""
        with said(self.folder):
            known = {one.host: one for one in _machines(_facts(self._connection))}
        for one in machines:
            known[one.host] = _joined(known.get(one.host), one)
        self._set("machines", to_json([*known.values()]))

    def keep_shard(self, shard: Shard) -> None:
        """Store which shard of a run this is."""
        self._set("shard", to_json(shard))

    def keep_inputs(self, digests: Mapping[str, str]) -> None:
        """Store the digests of the run's input files, by name."""
        self._set("inputs", to_json(digests))

    def inputs(self) -> dict[str, str] | None:
        """The digests of the run's input files, by name; None if an older version stored none."""
        with said(self.folder):
            return _inputs(_facts(self._connection))

    def keep_command(self, line: CommandLine, typed_in: Typed | None = None) -> None:
        """Store the user's command and the folder in which it was typed."""
        self._set("typed", to_json(line))
        if typed_in is not None:
            self._set("typed_in", to_json(typed_in))

    def finish(self, *, at: datetime | None = None) -> None:
        """Mark the run as finished, by default now: one that was stopped is not."""
        self._set("ended", (at or datetime.now(UTC)).isoformat())

    def read(self) -> StoredRun:
        """The run as stored so far."""
        with said(self.folder):
            return _read(self._connection, self.folder)

    def close(self) -> None:
        """Close the file and release the lock."""
        with contextlib.suppress(sqlite3.Error):
            # Without a WAL beside it the file can be read from a folder that is read-only; a reader may be in the way.
            self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.close()
        self._lock.close()

    def _trials(self) -> tuple[Trial, ...]:
        with said(self.folder):
            return _read_trials(self._connection)

    def _set(self, name: str, value: str) -> None:
        with said(self.folder), self._connection:
            _set_fact(self._connection, name, value)


def create_run(
    folder: Path,
    *,
    plan: Plan,
    command: str,
    seed: int,
    machine: Mapping[str, str],
    tool_versions: Mapping[str, str],
    started: datetime | None = None,
) -> RunStore:
    """Create a run in ``folder``, which is created, too; ``started`` is now by default.

    Raises:
        StoreError: there is a run already, or the folder cannot be written.
    """
    facts = {
        "run_id": folder.resolve().name,
        "plan": to_json(plan),
        "command": command,
        "started": (started or datetime.now(UTC)).isoformat(),
        "seed": str(seed),
        "machine": json.dumps(dict(machine)),
        "tool_versions": json.dumps(dict(tool_versions)),
    }
    with said(folder):
        (folder / EVIDENCE).mkdir(parents=True, exist_ok=True)
        lock = _locked(folder)
        if (folder / FILE).exists():
            lock.close()
            raise StoreError(f"{folder} already holds a run; continue it with --resume, or choose another folder")
        _make(folder / MAKING, facts)
        (folder / MAKING).replace(folder / FILE)  # whole or not there at all, for whoever looks at the run meanwhile
        return RunStore(folder, _connect(folder), lock)


def _make(path: Path, facts: Mapping[str, str]) -> None:
    path.unlink(missing_ok=True)  # of a program that was killed while it made one
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_TABLES)
        for name, value in facts.items():
            _set_fact(connection, name, value)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def open_run(folder: Path) -> RunStore:
    """Open the run in ``folder`` to continue it.

    Raises:
        StoreError: it is not a run, cannot be read, or another program is writing it.
    """
    with said(folder):
        with _reading(folder):
            pass  # somebody else's file is left as it is: not even its journal is changed
        lock = _locked(folder)
        try:
            connection = _connect(folder)
            with connection:
                connection.execute("DELETE FROM facts WHERE name = 'ended'")
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except BaseException:
            lock.close()
            raise
    return RunStore(folder, connection, lock)


def read_run(folder: Path) -> StoredRun:
    """Read the run in ``folder`` as stored so far; works while another process is writing it.

    Raises:
        StoreError: it is not a run, or cannot be read.
    """
    with said(folder), _reading(folder) as connection:
        return _read(connection, folder)


def read_inputs(folder: Path) -> dict[str, str]:
    """The digests of a run's input files, by name; empty if an older version stored none.

    Raises:
        StoreError: it is not a run, or cannot be read.
    """
    with said(folder), _reading(folder) as connection:
        return _inputs(_facts(connection)) or {}


def list_runs(root: Path) -> tuple[RunSummary, ...]:
    """The runs under ``root``, the latest first, including unreadable ones with the reason."""
    found = [_summary_of(file.parent) for file in (root.glob(f"*/{FILE}") if root.is_dir() else ())]
    return tuple(sorted(found, key=lambda run: (run.started, run.folder.name), reverse=True))


def _summary_of(folder: Path) -> RunSummary:
    try:
        with said(folder), _reading(folder) as connection:
            return _summary(connection, folder)
    except StoreError as error:
        written = (folder / FILE).lstat().st_mtime
        return RunSummary(folder=folder, started=datetime.fromtimestamp(written, UTC), problem=str(error))


def find_run(name_or_path: str | None, root: Path) -> Path:
    """The folder of a run, given by its name under ``root`` or its path; by default the latest.

    Raises:
        MissingRunError: there is none.
        StoreError: the latest cannot be read; an older one is never taken in its place.
    """
    if name_or_path is None:
        runs = list_runs(root)
        if not runs:
            raise MissingRunError(f"no run was found in {root}; make one with `repro run`, or give the folder of one")
        if runs[0].problem:
            older = next((run.folder for run in runs if not run.problem), None)
            move = f"; to use an older run anyway, name it: {older}" if older else ""
            raise StoreError(f"the latest run cannot be read: {runs[0].problem}{move}")
        return runs[0].folder
    for folder in (root / name_or_path, Path(name_or_path)):
        if _is_file(folder / FILE):
            return folder
    folder = Path(name_or_path)
    return folder.parent if folder.name == FILE and _is_file(folder) else _no_run(name_or_path, root)


def _no_run(name: str, root: Path) -> Path:
    raise MissingRunError(f"{name} is not a run, neither under {root} nor as a path; `repro list runs` shows the runs")


def _is_file(path: Path) -> bool:
    """Whether it is one; a name that none can have is none.

    Raises:
        OSError: nobody can look.
    """
    try:
        return path.is_file()
    except OSError as error:
        if error.errno in {errno.ENAMETOOLONG, errno.ELOOP}:
            return False
        raise


def _check_is_there(folder: Path) -> None:
    if not _is_file(folder / FILE):
        raise MissingRunError(f"{folder} is not a run: it has no {FILE}; `repro list runs` shows the runs")


def _check_schema(connection: sqlite3.Connection, folder: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreError(f"{folder / FILE} was not written by repro; `repro list runs` shows the runs")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{folder / FILE} was written by a newer repro (schema {version}, this one reads up to {SCHEMA_VERSION});"
            " upgrade repro to read it"
        )


def _connect(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / FILE, timeout=BUSY_S)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "PRAGMA synchronous=NORMAL"
    )  # in WAL this survives the program's death, which is what kills runs
    return connection


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    _check_is_there(folder)
    # Where nobody can write, nobody is writing either, and the index that WAL wants beside the file cannot be made; but
    # what a killed program left in its WAL counts, and its index is there too.
    is_all_there = not os.access(folder, os.W_OK) and not (folder / f"{FILE}-wal").exists()
    mode = "immutable=1" if is_all_there else "mode=ro"
    connection = sqlite3.connect(f"{(folder / FILE).resolve().as_uri()}?{mode}", uri=True, timeout=BUSY_S)
    try:
        _check_schema(connection, folder)
        yield connection
    finally:
        connection.close()


def _locked(folder: Path) -> IO[str]:
    lock = (folder / LOCK).open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreError(
            f"another program is writing the run in {folder}; wait until it has ended, or choose another folder"
        ) from error
    return lock


def _read(connection: sqlite3.Connection, folder: Path) -> StoredRun:
    facts = _facts(connection)
    plan: Plan = adapter(Plan).validate_json(facts["plan"])
    trials: dict[str, list[Trial]] = {cell.id: [] for cell in plan.cells}
    for trial in _read_trials(connection):
        trials.setdefault(trial.cell_id, []).append(trial)
    shard = _shard(facts)
    cells = tuple(result_of(cell, trials[cell.id]) for cell in _cells_of(plan, shard))
    return StoredRun(
        folder=folder,
        run_id=facts["run_id"],
        plan=plan,
        command=facts["command"],
        started=datetime.fromisoformat(facts["started"]),
        ended=datetime.fromisoformat(facts["ended"]) if "ended" in facts else None,
        seed=int(facts["seed"]),
        machine=json.loads(facts["machine"]),
        tool_versions=json.loads(facts["tool_versions"]),
        cells=cells,
        conclusion=_conclusion(facts, plan, cells),
        hunt=_hunt(facts),
        typed=adapter(CommandLine).validate_json(facts["typed"]) if "typed" in facts else None,
        typed_in=adapter(Typed).validate_json(facts["typed_in"]) if "typed_in" in facts else None,
        machines=_machines(facts),
        shard=shard,
    )


def _cells_of(plan: Plan, shard: Shard | None) -> Sequence[Cell]:
    """The cells of which a shard makes a trial; without one, all."""
    if shard is None:
        return plan.cells
    own = share(plan.cells, trials=plan.trials, shard=shard)
    return [cell for cell in plan.cells if cell.id in own]


def _shard(facts: Mapping[str, str]) -> Shard | None:
    return adapter(Shard).validate_json(facts["shard"]) if "shard" in facts else None


def _machines(facts: Mapping[str, str]) -> tuple[Machine, ...]:
    """The machines that ran trials; none are known of a run that an older version made."""
    return tuple(adapter(Machine).validate_python(one, strict=False) for one in json.loads(facts.get("machines", "[]")))


def _joined(old: Machine | None, new: Machine) -> Machine:
    """What is known of a machine: the latest, with its load as it was at first and all capacities measured."""
    if old is None:
        return new
    load = new.load if old.load is None else old.load
    return dataclasses.replace(new, load=load, capacities={**old.capacities, **new.capacities})


def _inputs(facts: Mapping[str, str]) -> dict[str, str] | None:
    return dict(json.loads(facts["inputs"])) if "inputs" in facts else None


def _conclusion(facts: Mapping[str, str], plan: Plan, cells: tuple[CellResult, ...]) -> Conclusion | None:
    """The conclusion as it is kept; a run that has it in words alone is concluded from again."""
    if "conclusion" in facts:
        found: Conclusion = adapter(Conclusion).validate_json(facts["conclusion"])
        return found
    is_in_words = bool(facts.get("hangs_when")) and "hunt" not in facts
    return conclude(cells, plan.varied) if is_in_words else None


def _hunt(facts: Mapping[str, str]) -> HuntRecord | None:
    """What the run's hunt was, None where it is none."""
    for name, record in (("bisection", BisectionRecord), ("blame", BlameRecord)):
        if name in facts:
            found: HuntRecord = adapter(record).validate_json(facts[name])
            return found
    return hunt_of(json.loads(facts["hunt"])) if "hunt" in facts else None


def _summary(connection: sqlite3.Connection, folder: Path) -> RunSummary:
    facts = _facts(connection)
    plan: Plan = adapter(Plan).validate_json(facts["plan"])
    counted = dict(connection.execute("SELECT verdict, count(*) FROM trials GROUP BY verdict").fetchall())
    return RunSummary(
        folder=folder,
        experiment=plan.experiment,
        started=datetime.fromisoformat(facts["started"]),
        cells=len(plan.cells),
        trials=sum(counted.values()),
        hangs=counted.get(Verdict.HANG.value, 0),
        is_finished="ended" in facts,
    )


def _read_trials(connection: sqlite3.Connection) -> tuple[Trial, ...]:
    rows = connection.execute("SELECT document FROM trials ORDER BY cell_id, number")
    return tuple(_trial(document) for (document,) in rows)


def _trial(document: str) -> Trial:
    """A stored trial; a run that an older repro began and this one went on with holds trials of both."""
    reader = adapter(Trial)
    try:
        trial: Trial = reader.validate_json(document)
    except ValueError:
        trial = reader.validate_python(older.of_today(json.loads(document)), strict=False)
    return trial


def _facts(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM facts").fetchall())


def _set_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, encodable(value)))


def _relative(evidence: str, folder: Path) -> str:
    """An evidence folder as stored: relative to the run's, so that a run can be moved."""
    path = Path(evidence)
    if evidence and (folder / EVIDENCE / evidence).is_dir():
        return f"{EVIDENCE}/{path.name}"
    if not evidence or not path.is_absolute():
        # Relative to where the program was started, when the run's folder was given so.
        return path.relative_to(folder).as_posix() if evidence and path.is_relative_to(folder) else evidence
    with contextlib.suppress(ValueError):
        return path.resolve().relative_to(folder.resolve()).as_posix()
    return evidence
