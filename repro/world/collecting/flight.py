"""Reads the flight records of a cell's processes, and puts the judge's questions into them.

A record is read by ``pread`` and written by ``pwrite``, never mapped here: the cell owns the file, and a mapped file
that shrinks ends its reader by SIGBUS, whatever was checked before. What a cell has scribbled over is not believed:
``repro/agent/layout.py`` draws what a record is. It can be read whatever state its process is in, frozen or dead.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.agent import layout as at
from repro.core.judge.samples import Collections, Deaths, Raised, Reading, Role, Slot
from repro.errors import StoreError
from repro.findings import Unseen

PREFIX = "flight-"
TRIES = 5
MOST_SLOTS = 10_000_000
MOST_COUNTED = 2**53
AHEAD_S = 1.0
"""A time so far in the future was not written by the agent: all processes of a machine share its clock."""

_SLOT_BYTES = at.SLOT_WORDS * at.WORD
_TIMES = [at.S_BEGAN, at.S_LAST_END, at.S_BORN, at.S_KILLED]
_KIND = np.uint64(at.KIND_MASK)
_LIMITS = [at.S_POLL, at.S_ATTEMPT, at.S_CEILING]
_COUNTS = [at.S_BEGUN, at.S_ENDED, at.S_FAILED, at.S_NUMBER]
_HEADER_TIMES = (
    at.H_STARTED,
    at.H_NATIVE_AT,
    at.H_LOOP_AT,
    at.H_LOAD_AT,
    at.H_STOP_AT,
    at.H_DUMPING_AT,
    at.H_DUMPED_S,
    at.H_COLLECTION_AT,
)
_HEADER_COUNTS = (
    at.H_STOPS,
    at.H_COLLECTIONS_BEGUN,
    at.H_COLLECTIONS_ENDED,
    at.H_COLLECTION_BEATS,
    at.H_ROUNDS,
    *range(at.H_AMPLIFIED, at.H_AMPLIFIED + len(at.AMPLIFIERS)),
)

_Rows = NDArray[np.uint64]


class FlightRecord:
    """The record of one process.

    Everything here raises ``StoreError`` when the file was cut, deleted or overwritten with what the agent never
    writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pid = 0  # for the sentence, should it not be readable
        self._last: tuple[bytes, bytes, Reading] | None = None
        self._slots = _Slots()
        self.pid = self._word(at.H_PID)

    def read(self) -> Reading:
        """The record now. A slot that is being written all the time is read as it stands after a few tries."""
        with self._open() as descriptor:
            head = self._pread(descriptor, at.SLOTS_AT, 0)
            header = _Header(head, os.fstat(descriptor).st_size)
            if header.fault:
                raise self._unreadable(header.fault)
            table = self._table(descriptor, header.used)
        raw = table.tobytes()
        if self._last is None or self._last[:2] != (head, raw):
            self._last = (head, raw, self._reading(header, table))
        return self._last[2]

    def native_tid(self) -> int:
        """The id by which the kernel knows the agent's own thread, 0 where that is not known."""
        return self._word(at.H_NATIVE_TID)

    def ask_stop(self) -> None:
        """Ask this process's runner to quit."""
        self._ask(at.H_STOP_ASKED, 1)

    def ask_loop_dump(self) -> int:
        """Ask the event loop for stacks, unless it has not answered yet; gives the number of the question."""
        return self._ask(at.H_LOOP_DUMP_ASKED, self.loop_dump_done() + 1)

    def ask_thread_dump(self) -> int:
        """Ask the native thread for them, likewise."""
        return self._ask(at.H_THREAD_DUMP_ASKED, self.thread_dump_done() + 1)

    def is_loop_asked(self) -> bool:
        """Whether the event loop has a question that it has not answered."""
        return self._word(at.H_LOOP_DUMP_ASKED) > self.loop_dump_done()

    def is_thread_asked(self) -> bool:
        """Whether the native thread has one."""
        return self._word(at.H_THREAD_DUMP_ASKED) > self.thread_dump_done()

    def loop_dump_done(self) -> int:
        """The number of the last question that the event loop has answered, or failed to."""
        return self._word(at.H_LOOP_DUMP_DONE)

    def thread_dump_done(self) -> int:
        """The number of the last question that the native thread has answered, or failed to."""
        return self._word(at.H_THREAD_DUMP_DONE)

    def dump_failure(self) -> str:
        """Why the last question was answered by nothing, "" when it was answered or is still open."""
        pairs = ((at.H_LOOP_DUMP_FAILED, at.H_LOOP_DUMP_ASKED), (at.H_THREAD_DUMP_FAILED, at.H_THREAD_DUMP_ASKED))
        if not any(self._word(failed) and self._word(failed) == self._word(asked) for failed, asked in pairs):
            return ""
        number = self._word(at.H_DUMP_ERRNO)
        return f"the answer could not be written: {os.strerror(number)}" if number else "the answer could not be made"

    def loop_beat_at(self) -> float:
        """When the event loop last turned, 0 before it has."""
        return self._float(at.H_LOOP_AT)

    def loop_beats(self) -> int:
        """How often the event loop has turned under the agent's eyes."""
        return self._word(at.H_LOOP_BEATS)

    def _reading(self, header: _Header, table: _Rows) -> Reading:
        fault = _fault_of(table, until=time.monotonic() + AHEAD_S)
        if fault:
            raise self._unreadable(fault)
        word, number = header.word, header.number
        begun, ended, failed = (int(table[:, column].sum()) for column in (at.S_BEGUN, at.S_ENDED, at.S_FAILED))
        return Reading(
            pid=self.pid,
            parent=word(at.H_PARENT),
            phase=word(at.H_PHASE),
            role=Role(word(at.H_ROLE)),
            started=number(at.H_STARTED),
            native_at=number(at.H_NATIVE_AT),
            loop_beats=word(at.H_LOOP_BEATS),
            loop_at=number(at.H_LOOP_AT),
            dumping_at=number(at.H_DUMPING_AT),
            dumped_s=number(at.H_DUMPED_S),
            stops=word(at.H_STOPS),
            rounds=word(at.H_ROUNDS),
            amplified={knob: word(at.H_AMPLIFIED + index) for index, knob in enumerate(at.AMPLIFIERS)},
            collections=header.collections(),
            load_at=number(at.H_LOAD_AT),
            stop_at=number(at.H_STOP_AT),
            begun=begun,
            ended=ended,
            failed=failed,
            budget_refusals=word(at.H_BUDGET_SPENT),
            error=header.text(at.ERROR_AT, at.ERROR_BYTES),
            slots=self._slots.of(table, header.names()),
            deaths=Deaths(
                users=word(at.H_USER_DEATHS),
                others=word(at.H_DEATHS),
                starting_users=word(at.H_SPAWNER_DEATHS),
                lost_exits=word(at.H_LOST_EXITS),
            ),
            iterations=word(at.H_ITERATIONS),
            iteration_errors=word(at.H_ITERATION_ERRORS),
            wanted=_wanted(header.text(at.WANTED_AT, at.WANTED_BYTES)),
            raised=_raised(header.text(at.DEATH_AT, at.DEATH_BYTES), by=word(at.H_RAISED_BY)),
            stopped_by_signal=bool(word(at.H_STOPPED_BY_SIGNAL)),
            is_program=bool(word(at.H_IS_PROGRAM)),
            load_ended_at=number(at.H_LOAD_ENDED_AT),
            quit_done_at=number(at.H_QUIT_DONE_AT),
            exit_asked=word(at.H_EXIT_CODE) - 1 if word(at.H_EXIT_CODE) else None,
        )

    def unseen(self) -> tuple[int, int]:
        """Users, and calls of others, for which the record had no slot."""
        return self._word(at.H_UNSEEN_USERS), self._word(at.H_UNSEEN_CALLS)

    def _table(self, descriptor: int, used: int) -> _Rows:
        """The slots ever taken. A row counts as read when it was the same before and after, and not in the making."""
        size = used * _SLOT_BYTES
        table = _rows(self._pread(descriptor, size, at.SLOTS_AT)).copy()
        wanted = np.arange(used)
        for _ in range(TRIES):
            again = _rows(self._pread(descriptor, size, at.SLOTS_AT))
            before, after = table[wanted, at.S_SEQ], again[wanted, at.S_SEQ]
            wanted = wanted[(before != after) | (before % 2 == 1)]
            if not len(wanted):
                break
            table[wanted] = again[wanted]
        return table

    def _word(self, index: int) -> int:
        return int.from_bytes(self._eight(index), sys.byteorder)

    def _float(self, index: int) -> float:
        return float(np.frombuffer(self._eight(index), dtype=np.float64)[0])

    def _eight(self, index: int) -> bytes:
        with self._open() as descriptor:
            return self._pread(descriptor, at.WORD, index * at.WORD)

    def _ask(self, index: int, value: int) -> int:
        with self._open(os.O_RDWR) as descriptor:
            self._pread(descriptor, at.WORD, index * at.WORD)  # beyond the end a write would make the file longer
            os.pwrite(descriptor, (value % 2**64).to_bytes(at.WORD, sys.byteorder), index * at.WORD)
        return value

    @contextmanager
    def _open(self, flags: int = os.O_RDONLY) -> Iterator[int]:
        """Opened anew each time: a trial may have hundreds of records, and this program a small limit of open files."""
        try:
            descriptor = os.open(self.path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise self._unreadable("it was deleted") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _pread(self, descriptor: int, size: int, start: int) -> bytes:
        data = os.pread(descriptor, size, start)
        if len(data) < size:
            raise self._unreadable(f"it was cut to {os.fstat(descriptor).st_size} bytes")
        return data

    def _unreadable(self, what: str) -> StoreError:
        whose = f" of process {self.pid}" if self.pid else ""
        return StoreError(
            f"the flight record{whose} is damaged: {what}; only this program may write {self.path}: "
            f"check what the load test writes, cuts or deletes outside its working folder"
        )


class _Header:
    """All of a record that stands before its slots; ``fault`` says what the agent would never have written there."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._words = np.frombuffer(data, dtype=np.uint64, count=at.HEADER_WORDS).tolist()
        self._floats = np.frombuffer(data, dtype=np.float64, count=at.HEADER_WORDS).tolist()
        self.used = self.word(at.H_SLOTS_USED)
        self.fault = self._fault(size)

    def word(self, index: int) -> int:
        return int(self._words[index])

    def number(self, index: int) -> float:
        return float(self._floats[index])

    def text(self, start: int, size: int) -> str:
        return self._data[start : start + size].rstrip(b"\0").decode("utf-8", "replace")

    def collections(self) -> Collections:
        thresholds = tuple(self.word(at.H_THRESHOLDS + place) for place in range(3))
        return Collections(
            begun=self.word(at.H_COLLECTIONS_BEGUN),
            ended=self.word(at.H_COLLECTIONS_ENDED),
            began=self.number(at.H_COLLECTION_AT),
            in_main=bool(self.word(at.H_COLLECTION_IN_MAIN)),
            beats=self.word(at.H_COLLECTION_BEATS),
            thresholds=thresholds if any(thresholds) else (),
        )

    def names(self) -> list[str]:
        count = self.word(at.H_NAMES)
        return [self.text(at.NAMES_AT + index * at.NAME_BYTES, at.NAME_BYTES) for index in range(count)]

    def _fault(self, size: int) -> str:
        slots = self.word(at.H_SLOTS)
        if self.word(at.H_MAGIC) != at.MAGIC:
            return "its first word is not the agent's"
        if slots > MOST_SLOTS or self.used > slots:
            return f"it claims to use {self.used} of {slots} slots"
        if size != at.SLOTS_AT + slots * _SLOT_BYTES:
            return f"it has {size} bytes, and should have {at.SLOTS_AT + slots * _SLOT_BYTES}"
        return self._odd_word() or self._odd_time()

    def _odd_word(self) -> str:
        if self.word(at.H_ROLE) not in set(Role) or self.word(at.H_PHASE) > at.PHASE_STOPPED:
            return f"it names role {self.word(at.H_ROLE)} and phase {self.word(at.H_PHASE)}"
        if self.word(at.H_NAMES) > at.NAMES:
            return f"it claims to name {self.word(at.H_NAMES)} operations"
        if max(self.word(index) for index in _HEADER_COUNTS) > MOST_COUNTED:
            return "it counts more stops or collections than there can be"
        return ""

    def _odd_time(self) -> str:
        until = time.monotonic() + AHEAD_S
        is_good = all(0.0 <= self.number(index) <= until for index in _HEADER_TIMES)  # NaN is in no range
        return "" if is_good else "it holds a time that is invalid or in the future"


class _Slots:
    """The slots as objects: of thousands, few change between two looks, and those alone are made anew."""

    def __init__(self) -> None:
        self._made: list[Slot] = []
        self._table: _Rows = np.empty((0, at.SLOT_WORDS), dtype=np.uint64)
        self._names: list[str] = []

    def of(self, table: _Rows, names: list[str]) -> tuple[Slot, ...]:
        """The slots of all who live."""
        known = len(self._table) if names == self._names else 0
        changed = np.ones(len(table), dtype=bool)
        changed[:known] = (table[:known] != self._table[:known]).any(axis=1)
        self._made += [_NOBODY] * (len(table) - len(self._made))
        rows = table[changed]
        pairs = zip(rows.tolist(), rows.view(np.float64).tolist(), strict=True)
        for index, (row, numbers) in zip(np.flatnonzero(changed).tolist(), pairs, strict=True):
            self._made[index] = _slot(row, numbers, names)
        self._table, self._names = table, names
        return tuple(self._made[index] for index in np.flatnonzero(table[:, at.S_STATE] != at.FREE).tolist())


class Fleet:
    """The records of all processes of a trial, found in its folder as they appear."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records: dict[Path, FlightRecord] = {}

    def records(self) -> tuple[FlightRecord, ...]:
        """All records that are there by now, in the order of their appearance.

        Raises:
            StoreError: the disk has refused a record to one of the cell's processes.
        """
        for path in self._new():
            if path.name.endswith(at.REFUSED):
                raise refused(self.folder, int(path.stem.rpartition("-")[2]))
            if _is_whole(path):
                self._records[path] = FlightRecord(path)
        return tuple(self._records.values())

    def forget(self, record: FlightRecord) -> None:
        """Read it no more; its file may go."""
        self._records.pop(record.path, None)

    def read(self) -> tuple[Reading, ...]:
        """All records now."""
        return tuple(record.read() for record in self.records())

    def unseen(self) -> Unseen:
        """What was not seen for the bounds of a trial's records."""
        pairs = [record.unseen() for record in self._records.values()]
        users, calls = (sum(column) for column in zip(*pairs, strict=True)) if pairs else (0, 0)
        path = self.folder / at.UNSEEN_FILE
        return Unseen(users=users, calls=calls, processes=path.stat().st_size if path.exists() else 0)

    def close(self) -> None:
        """Forget all."""
        self._records.clear()

    def _new(self) -> list[Path]:
        names = [
            entry.name
            for entry in os.scandir(self.folder)
            if entry.name.startswith(PREFIX) and entry.name.endswith((".bin", at.REFUSED))
        ]
        return [path for name in sorted(names) if (path := self.folder / name) not in self._records]


def refused(folder: Path, number: int) -> StoreError:
    """The error of a cell whose flight record the disk did not take; ``number`` is the system's, 0 when unknown."""
    why = os.strerror(number) if number else "the disk refused it"
    return StoreError(
        f"the cell could not write its flight record to {folder}: {why}; "
        f"free some space there, or choose another folder with --out"
    )


def _is_whole(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:  # refused by the disk meanwhile: it is there under that name
        return False
    try:
        return os.pread(descriptor, at.WORD, 0) == at.MAGIC.to_bytes(at.WORD, sys.byteorder)
    finally:
        os.close(descriptor)


def _rows(data: bytes) -> _Rows:
    return np.frombuffer(data, dtype=np.uint64).reshape(-1, at.SLOT_WORDS)


def _fault_of(table: _Rows, *, until: float) -> str:
    """What the agent would never have written into a slot, "" when there is nothing."""
    taken = table[table[:, at.S_STATE] != at.FREE]
    floats = taken.view(np.float64)
    times, limits = floats[:, _TIMES], floats[:, _LIMITS]
    if (table[:, _COUNTS] > MOST_COUNTED).any():
        return "a user has counted more operations than there can be"
    if (taken[:, at.S_STATE] > at.BUSY).any() or not np.isin(
        taken[:, at.S_KIND] & _KIND, (at.KIND_USER, at.KIND_OTHER)
    ).all():
        return "a user is in an unknown state"
    if not ((times >= 0.0) & (times <= until)).all() or not (limits >= 0.0).all():  # NaN compares with nothing
        return "a user has a time that is invalid or in the future"
    return ""


def _wanted(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (line.partition(" ") for line in text.splitlines())
    return tuple((kind, name) for kind, _, name in pairs if name)


def _raised(text: str, *, by: int) -> Raised | None:
    error, _, rest = text.partition("\n")
    file, _, rest = rest.partition("\n")
    line, _, function = rest.partition("\n")
    if not error or not line.isdecimal() or not line.isascii():
        return None
    return Raised(error, file, int(line), function, is_greenlet=by in {at.H_DEATHS, at.H_SPAWNER_DEATHS})


def _slot(row: list[int], numbers: list[float], names: Sequence[str]) -> Slot:
    operation = row[at.S_OPERATION]
    is_user = row[at.S_KIND] & at.KIND_MASK == at.KIND_USER
    return Slot(
        number=row[at.S_NUMBER],
        is_user=is_user,
        busy=row[at.S_STATE] == at.BUSY,
        operation=names[operation] if operation < len(names) else "",
        began=numbers[at.S_BEGAN],
        last_end=numbers[at.S_LAST_END],
        begun=row[at.S_BEGUN],
        ended=row[at.S_ENDED],
        failed=row[at.S_FAILED],
        poll_s=numbers[at.S_POLL],
        attempt_s=numbers[at.S_ATTEMPT],
        ceiling_s=numbers[at.S_CEILING],
        born=numbers[at.S_BORN],
        killed=numbers[at.S_KILLED],
        greenlet=row[at.S_GREENLET],
        owner=0 if is_user else row[at.S_KIND] >> at.KIND_BITS,
        helped=row[at.S_KIND] >> at.KIND_BITS if is_user else 0,
    )


_NOBODY = _slot([0] * at.SLOT_WORDS, [0.0] * at.SLOT_WORDS, ())
