"""The writer of the flight record; ``layout.py`` draws it.

Writing is a store into mapped memory: no system call, no lock, no container that would start a garbage collection. The
judge reads it whatever state this process is in, dead included. Its blocks are reserved when it is made: a store into a
page that a full disk cannot hold would end this process by SIGBUS.

A forked child gets its record late, by ``Unopened``: most children execute another program at once.
"""

import _thread
import os
import sys
import time

from repro_agent import layout as at

monotonic = time.monotonic  # as it is before anything is patched
_allocate_lock = _thread.allocate_lock  # likewise
FOLDER = os.environ.get("REPRO_TRIAL_DIR", "")
SLOTS = int(os.environ.get("REPRO_SLOTS", "1024"))
IS_RIDING = "REPRO_RIDE" in os.environ
"""Whether this is somebody's own command, which was not started by this program's own launch. Read once, as the two
above: a program may empty its environment."""
OPENING_LIMIT_S = 1.0
"""For so long another thread that opens the record is waited for."""
INFINITE = float("inf")


_FULL = frozenset((27, 28, 122 if os.uname().sysname == "Linux" else 69))
"""EFBIG, ENOSPC and EDQUOT, by number: the module ``errno`` is not loaded for its names alone."""


def borrow(name):
    """A module of the standard library that does not stay behind in ``sys.modules``.

    What is loaded when the scenario patches decides what gets patched; the agent's own needs must not show.
    """
    was_there = name in sys.modules
    module = __import__(name)
    if not was_there:
        del sys.modules[name]
    return module


class Slot:
    """One user's line in the record. ``depth`` counts calls within calls: only the outermost is an operation."""

    __slots__ = ("base", "depth", "failed_before", "floats", "index", "owner", "words")

    def __init__(self, words, floats, index):
        self.words = words
        self.floats = floats
        self.index = index
        self.base = (at.SLOTS_AT // at.WORD) + index * at.SLOT_WORDS
        self.depth = 0
        self.failed_before = 0
        self.owner = None

    def open(self, kind, number, greenlet_id, owner=None):
        """Take the slot for a user that has just been born, or for a helper of the user whose slot is ``owner``."""
        words, base = self.words, self.base
        self.owner = None if owner is None else (owner, owner.number)
        words[base + at.S_SEQ] += 1
        words[base + at.S_KIND] = kind if owner is None else kind | owner.number << at.KIND_BITS
        words[base + at.S_NUMBER] = number
        words[base + at.S_GREENLET] = greenlet_id
        self.floats[base + at.S_BORN] = monotonic()
        self.floats[base + at.S_LAST_END] = 0.0
        self.floats[base + at.S_KILLED] = 0.0
        words[base + at.S_STATE] = at.IDLE
        words[base + at.S_SEQ] += 1

    @property
    def number(self):
        """The number of who has it."""
        return self.words[self.base + at.S_NUMBER]

    def living_owner(self):
        """The slot of the user whose helper has this one; None for others, and once that user has gone."""
        if self.owner is None or self.owner[0].number != self.owner[1]:
            return None
        return self.owner[0]

    def close(self):
        """Give the slot back: the user has gone."""
        self.words[self.base + at.S_STATE] = at.FREE
        self.depth = 0

    def killed(self):
        """Note that the user was told to stop."""
        if not self.floats[self.base + at.S_KILLED]:
            self.floats[self.base + at.S_KILLED] = monotonic()
            self.words[at.H_STOPS] += 1

    def begin(self, operation, poll_s, attempt_s, ceiling_s, *, counts=True):
        """An operation begins; ``operation`` is an index from ``Record.name``.

        What does not count (the making of a client) is seen while it lasts, and counted only when it fails.
        """
        words, floats, base = self.words, self.floats, self.base
        words[base + at.S_SEQ] += 1
        words[base + at.S_OPERATION] = operation
        floats[base + at.S_POLL] = poll_s
        floats[base + at.S_ATTEMPT] = attempt_s
        floats[base + at.S_CEILING] = ceiling_s
        floats[base + at.S_BEGAN] = monotonic()
        if counts:
            words[base + at.S_BEGUN] += 1
        words[base + at.S_STATE] = at.BUSY
        words[base + at.S_SEQ] += 1

    def end(self, *, failed, counts=True):
        """The operation has ended."""
        words, base = self.words, self.base
        words[base + at.S_SEQ] += 1
        self.floats[base + at.S_LAST_END] = monotonic()
        if failed:
            words[base + at.S_FAILED] += 1
            words[base + at.S_BEGUN] += not counts
        if counts or failed:
            words[base + at.S_ENDED] += 1
            owner = self.living_owner()
            if owner is not None:
                words[owner.base + at.S_KIND] += 1 << at.KIND_BITS
        if words[base + at.S_STATE] == at.BUSY:
            words[base + at.S_STATE] = at.IDLE
        words[base + at.S_SEQ] += 1


class Record:
    """This process's flight record over ``memory``, which is its file, or nobody's when the process goes unseen."""

    def __init__(self, memory, slots, *, is_blind=False):
        self._memory = memory
        self.is_blind = is_blind
        view = memoryview(memory)
        self.words = view.cast("Q")
        self.floats = view.cast("d")
        self._names = {}
        self._free = [Slot(self.words, self.floats, index) for index in reversed(range(slots))]
        self._born = {at.KIND_USER: 0, at.KIND_OTHER: at.OTHERS_FROM}
        self._error = None
        self._wanted = {}
        self._is_script = os.environ.get("REPRO_LAUNCH") == "script"
        self.words[at.H_PID] = os.getpid()
        self.words[at.H_PARENT] = os.getppid()
        self.words[at.H_SLOTS] = slots
        self.floats[at.H_STARTED] = monotonic()
        self.words[at.H_MAGIC] = at.MAGIC  # last: from here on the judge takes it for whole

    def name(self, text):
        """The index of an operation's name; the last one stands for all that no longer fit."""
        index = self._names.get(text)
        if index is None:
            index = min(len(self._names), at.NAMES - 1)
            self._names[text] = index
            raw = text.encode("utf-8", "replace")[: at.NAME_BYTES - 1]
            start = at.NAMES_AT + index * at.NAME_BYTES
            self._memory[start : start + len(raw)] = raw
            self.words[at.H_NAMES] = index + 1
        return index

    def error(self, error):
        """Keep the text of an operation's error; one of the same type as the last is not written again."""
        if type(error) is self._error:
            return
        self._error = type(error)
        raw = ("%s: %s" % (type(error).__name__, error)).encode("utf-8", "replace")[: at.ERROR_BYTES]
        self._memory[at.ERROR_AT : at.ERROR_AT + at.ERROR_BYTES] = raw.ljust(at.ERROR_BYTES, b"\0")

    def wanted(self, kind, name):
        """Keep that a call asked for something: a line each, once, while there is room."""
        if (kind, name) in self._wanted:
            return
        self._wanted[kind, name] = None
        raw = "".join("%s %s\n" % pair for pair in self._wanted).encode("utf-8", "replace")
        if len(raw) <= at.WANTED_BYTES:
            self._memory[at.WANTED_AT : at.WANTED_AT + len(raw)] = raw
        else:
            del self._wanted[kind, name]

    def death(self, counter, error, place):
        """Keep what a greenlet died of; ``place`` is (file, line, function) of the frame that tells most.

        The first death of a greenlet that starts users is kept whatever dies later, then what replaced a GreenletExit.
        """
        words = self.words
        words[counter] += 1
        if counter == at.H_SPAWNER_DEATHS:
            words[at.H_DEATHS] += 1
        elif words[at.H_SPAWNER_DEATHS] or (words[at.H_LOST_EXITS] and counter != at.H_LOST_EXITS):
            return
        words[at.H_RAISED_BY] = counter
        text = ("%s: %s" % (type(error).__name__, error)).replace("\n", " ")[: at.ERROR_BYTES]
        raw = ("%s\n%s\n%d\n%s" % (text, *place)).encode("utf-8", "replace")[: at.DEATH_BYTES]
        self._memory[at.DEATH_AT : at.DEATH_AT + at.DEATH_BYTES] = raw.ljust(at.DEATH_BYTES, b"\0")

    def take(self, kind, greenlet_id, owner=None):
        """A slot for a new user, or None when all are taken: then its operations are not seen, which is counted."""
        if not self._free:
            self.words[at.H_UNSEEN_USERS if kind == at.KIND_USER else at.H_UNSEEN_CALLS] += 1
            return None
        slot = self._free.pop()
        self.words[at.H_SLOTS_USED] = max(self.words[at.H_SLOTS_USED], slot.index + 1)
        self._born[kind] += 1
        slot.open(kind, self._born[kind], greenlet_id, owner)
        is_script = self._is_script or (IS_RIDING and "locust" not in sys.modules)
        is_load = kind == at.KIND_USER or is_script  # a client made while the locustfile is imported is none
        if is_load and not self.floats[at.H_LOAD_AT]:
            self.floats[at.H_LOAD_AT] = monotonic()
            self.phase(at.PHASE_LOAD)
        return slot

    def give_back(self, slot):
        """The user of ``slot`` has gone."""
        slot.close()
        self._free.append(slot)

    def phase(self, phase):
        """Enter a phase; phases only go forward."""
        self.words[at.H_PHASE] = max(self.words[at.H_PHASE], phase)


class Unopened:
    """Stands for the record of a forked child until something is written to it."""

    def __getattr__(self, name):
        return getattr(open_late(), name)


record = None
"""This process's record; ``boot`` opens it, and a forked child opens its own when it needs one."""
_opening = _allocate_lock()


def open_record():
    """Open this process's record, in the folder and of the size that the environment names.

    Raises OSError where the disk refused it.
    """
    global record
    record = _made()


def forget():
    """In a forked child: the record that is mapped here is the parent's."""
    global record, _opening
    record = Unopened()
    _opening = _allocate_lock()  # a thread of the parent may hold the other one


def open_late():
    """The record of a forked child, opened by now; nobody's where the disk refused it: the program goes on."""
    global record
    if not _opening.acquire(True, OPENING_LIMIT_S):  # a signal's handler came in between
        return _blind()
    try:
        if isinstance(record, Unopened):
            try:
                record = _made()
            except OSError:
                record = _blind()
        return record
    finally:
        _opening.release()


def _size():
    return at.SLOTS_AT + SLOTS * at.SLOT_WORDS * at.WORD


def _made():
    if _is_full(FOLDER):
        _append(os.path.join(FOLDER, at.UNSEEN_FILE), b".")
        return _blind()
    return Record(_file(os.path.join(FOLDER, "flight-%d.bin" % os.getpid())), SLOTS)


def _blind():
    return Record(borrow("mmap").mmap(-1, _size()), SLOTS, is_blind=True)


def _is_full(folder):
    """Whether the trial has as many records as it may have."""
    count = sum(name.startswith("flight-") and name.endswith(".bin") for name in os.listdir(folder))
    return count >= max(at.FEWEST_RECORDS, min(at.MOST_RECORDS, at.MOST_RECORD_BYTES // _size()))


def _file(path):
    """The memory of a new record at ``path``, all of its blocks reserved; what is refused is left as a name alone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _reserve(descriptor, _size())
        return borrow("mmap").mmap(descriptor, _size())
    except OSError as error:
        os.truncate(descriptor, 0)
        os.rename(path, "%s-%d%s" % (path[: -len(".bin")], error.errno or 0, at.REFUSED))
        raise
    finally:
        os.close(descriptor)


def _reserve(descriptor, size):
    """Take the blocks from the disk now: by the call for it, else by writing zeros, which reserves them too."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in _FULL:
            raise
        os.truncate(descriptor, 0)
        left = size
        while left > 0:
            left -= os.write(descriptor, bytes(min(left, 65536)))


def _append(path, data):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
