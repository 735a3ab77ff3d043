"""Reads the flight records of a cell's processes, and puts the judge's questions into them.

A record is mapped once and then read without a system call, be its process frozen or dead; ``repro/agent/layout.py``
draws it.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

from repro.agent import layout as at
from repro.core.evidence import Deaths, Raised, Reading, Role, Slot

PREFIX = "flight-"
TRIES = 5


class FlightRecord:
    """The mapped record of one process."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        view = memoryview(self._memory)
        self._words = view.cast("Q")
        self._floats = view.cast("d")
        self._view = view
        self.path = path
        self.pid = int(self._words[at.H_PID])

    def close(self) -> None:
        """Unmap it."""
        self._words.release()
        self._floats.release()
        self._view.release()
        self._memory.close()

    def read(self) -> Reading:
        """The record now. A slot that is being written all the time is read as it stands after a few tries."""
        words, floats = self._words, self._floats
        rows = [self._row(index) for index in range(int(words[at.H_SLOTS]))]
        names = self._names()
        return Reading(
            pid=self.pid,
            parent=int(words[at.H_PARENT]),
            phase=int(words[at.H_PHASE]),
            role=Role(int(words[at.H_ROLE])),
            started=floats[at.H_STARTED],
            native_at=floats[at.H_NATIVE_AT],
            loop_beats=int(words[at.H_LOOP_BEATS]),
            loop_at=floats[at.H_LOOP_AT],
            dumping_at=floats[at.H_DUMPING_AT],
            dumped_s=floats[at.H_DUMPED_S],
            load_at=floats[at.H_LOAD_AT],
            stop_at=floats[at.H_STOP_AT],
            begun=sum(row[at.S_BEGUN] for row, _ in rows),
            ended=sum(row[at.S_ENDED] for row, _ in rows),
            failed=sum(row[at.S_FAILED] for row, _ in rows),
            budget_refusals=int(words[at.H_BUDGET_SPENT]),
            error=self._text(at.ERROR_AT, at.ERROR_BYTES),
            slots=tuple(_slot(row, numbers, names) for row, numbers in rows if row[at.S_STATE] != at.FREE),
            deaths=Deaths(
                users=int(words[at.H_USER_DEATHS]),
                others=int(words[at.H_DEATHS]),
                starting_users=int(words[at.H_SPAWNER_DEATHS]),
            ),
            iterations=int(words[at.H_ITERATIONS]),
            iteration_errors=int(words[at.H_ITERATION_ERRORS]),
            raised=_raised(self._text(at.DEATH_AT, at.DEATH_BYTES)),
            stopped_by_signal=bool(words[at.H_STOPPED_BY_SIGNAL]),
        )

    def native_tid(self) -> int:
        """The id by which the kernel knows the agent's own thread, 0 where that is not known."""
        return int(self._words[at.H_NATIVE_TID])

    def ask_stop(self) -> None:
        """Ask this process's runner to quit."""
        self._words[at.H_STOP_ASKED] = 1

    def ask_loop_dump(self) -> int:
        """Ask the event loop for the greenlets' stacks, unless it has not answered yet; gives the number of the question."""
        self._words[at.H_LOOP_DUMP_ASKED] += not self.is_loop_asked()
        return int(self._words[at.H_LOOP_DUMP_ASKED])

    def ask_thread_dump(self) -> int:
        """Ask the native thread for them, likewise."""
        self._words[at.H_THREAD_DUMP_ASKED] += not self.is_thread_asked()
        return int(self._words[at.H_THREAD_DUMP_ASKED])

    def is_loop_asked(self) -> bool:
        """Whether the event loop has a question that it has not answered."""
        return bool(self._words[at.H_LOOP_DUMP_ASKED] > self._words[at.H_LOOP_DUMP_DONE])

    def is_thread_asked(self) -> bool:
        """Whether the native thread has one."""
        return bool(self._words[at.H_THREAD_DUMP_ASKED] > self._words[at.H_THREAD_DUMP_DONE])

    def loop_dump_done(self) -> int:
        """The number of the last question that the event loop has answered."""
        return int(self._words[at.H_LOOP_DUMP_DONE])

    def thread_dump_done(self) -> int:
        """The number of the last question that the native thread has answered."""
        return int(self._words[at.H_THREAD_DUMP_DONE])

    def loop_beat_at(self) -> float:
        """When the event loop last turned, 0 before it has."""
        return float(self._floats[at.H_LOOP_AT])

    def loop_beats(self) -> int:
        """How often the event loop has turned under the agent's eyes."""
        return int(self._words[at.H_LOOP_BEATS])

    def _row(self, index: int) -> tuple[list[int], list[float]]:
        start = at.SLOTS_AT // at.WORD + index * at.SLOT_WORDS
        end = start + at.SLOT_WORDS
        words: list[int] = []
        floats: list[float] = []
        for _ in range(TRIES):
            before = self._words[start + at.S_SEQ]
            words, floats = self._words[start:end].tolist(), self._floats[start:end].tolist()  # type: ignore[assignment]  # a cast view's items
            if before % 2 == 0 and before == self._words[start + at.S_SEQ]:
                break
        return words, floats

    def _names(self) -> list[str]:
        count = int(self._words[at.H_NAMES])
        return [self._text(at.NAMES_AT + index * at.NAME_BYTES, at.NAME_BYTES) for index in range(count)]

    def _text(self, start: int, size: int) -> str:
        return self._view[start : start + size].tobytes().rstrip(b"\0").decode("utf-8", "replace")


class Fleet:
    """The records of all processes of a trial, found in its folder as they appear."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: dict[Path, FlightRecord] = {}

    def records(self) -> tuple[FlightRecord, ...]:
        """All records that are there by now, in the order of their appearance."""
        for path in sorted(self._folder.glob(f"{PREFIX}*.bin")):
            if path not in self._records and _is_whole(path):
                self._records[path] = FlightRecord(path)
        return tuple(self._records.values())

    def read(self) -> tuple[Reading, ...]:
        """All records now."""
        return tuple(record.read() for record in self.records())

    def close(self) -> None:
        """Unmap all."""
        for record in self._records.values():
            record.close()
        self._records.clear()


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(at.WORD) == at.MAGIC.to_bytes(at.WORD, sys.byteorder)


def _raised(text: str) -> Raised | None:
    error, _, rest = text.partition("\n")
    file, _, rest = rest.partition("\n")
    line, _, function = rest.partition("\n")
    return Raised(error, file, int(line), function) if error and line.isdigit() else None


def _slot(row: list[int], numbers: list[float], names: list[str]) -> Slot:
    operation = row[at.S_OPERATION]
    return Slot(
        number=row[at.S_NUMBER],
        is_user=row[at.S_KIND] == at.KIND_USER,
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
    )
