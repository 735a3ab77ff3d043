"""Writes the stacks of all greenlets, and what each is parked on, as JSON; from the event loop or from a native thread.

What a parked greenlet waits for is read from the other side: the objects that would wake it. One walk over the
collector's list finds gevent's watchers, timers, locks, events and queues; each keeps the ``switch`` of the greenlets
that it will wake. A greenlet that nothing would wake is parked on ``nothing``.

In a frozen process the import lock may be held and any lock taken, so this module imports nothing when it is called,
takes no lock, and writes its JSON itself; the main thread imports it while the process is healthy. Garbage collection
is off meanwhile: a finalizer of the scenario that ran in here would be an experiment of our own making.
"""

import gc
import os
import sys
import time

from repro_agent.stacks import coroutines, handlers, parked, pools, sources
from repro_agent.stacks.frames import outwards

SCHEMA = "repro-greenlets/2"
INNER_FRAMES = 50
OUTER_FRAMES = 10
MOST_FRAMES = 2000
LIMIT_S = 4.0
SWITCH_INTERVAL_S = 0.1
"""For so long a scenario that spins has to wait for the GIL, and so long it keeps it once it has it: with the usual 5
ms it would run on while its frames are read, with a second the judge would not wait for the answer."""

_monotonic = time.monotonic  # as it is before anything is patched


def _own_ident():
    """The native id of this thread; ``_thread.get_ident`` gives a greenlet's, once gevent has patched it."""
    here = sys._getframe()
    return next((ident for ident, frame in sys._current_frames().items() if frame is here), 0)


main_ident = _own_ident()
"""The main thread's native id: who imports this in another thread says which it is."""


def dump_from_loop(path, *, limit_s=LIMIT_S, slot_of=None):
    """Write the dump to ``path``, called in a callback of the event loop: every greenlet is parked, and none runs."""
    _dump(path, "loop", limit_s, slot_of)


def dump_from_thread(path, *, limit_s=LIMIT_S, slot_of=None):
    """Write the dump to ``path``, in a native thread: the greenlet that runs is shown with its thread's frames."""
    _dump(path, "thread", limit_s, slot_of)


def _dump(path, mode, limit_s, slot_of):
    began = _monotonic()
    collecting = gc.isenabled()
    interval = sys.getswitchinterval()
    gc.disable()
    try:
        if mode == "thread":
            # Reading lets go of the GIL: from a loop that spins it comes back an interval later.
            sources.read(_files_in_sight())
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            document = _Dump(mode, began + limit_s, slot_of).document()
        finally:
            sys.setswitchinterval(interval)
        document["seconds"] = round(_monotonic() - began, 3)
        text = _json(document)
        del document  # before collecting goes on: what is freed here must not count as allocated
    finally:
        if collecting:
            gc.enable()
    _replace(path, text)


class _Dump:
    """The making of one dump: stacks and frames are kept once, greenlets refer to them by index."""

    def __init__(self, mode, deadline, slot_of):
        self.mode = mode
        self.deadline = deadline
        self.slot_of = slot_of
        self.notes = []
        self.frames = []
        self.frame_index = {}
        self.stacks = []
        self.stack_index = {}
        self.catches = {}

    def document(self):
        at = _monotonic()  # before the first stack: whoever moves later is not taken for having stood here
        version = sys.version_info
        lot = parked.Lot()
        greenlets = [item for item in lot.greenlets if not getattr(item, "dead", False)]
        threads = self.threads(lot)
        running = {thread["greenlet"]: thread for thread in threads if thread["greenlet"]}
        records = []
        for greenlet in greenlets:
            if _monotonic() > self.deadline:
                self.notes.append("time limit: %d of %d greenlets" % (len(records), len(greenlets)))
                break
            records.append(self.greenlet(greenlet, lot, running))
        locks = self.locks(lot, greenlets)
        found, loops = self.pools(greenlets), self.coroutines()
        for frame in self.frames:
            frame.append(sources.line(frame[0], frame[1]))
        return {
            "schema": SCHEMA,
            "pid": os.getpid(),
            "mode": self.mode,
            "at": at,
            "python": "%d.%d.%d" % (version[0], version[1], version[2]),
            "gevent": _version_of("gevent"),
            "greenlet": _version_of("greenlet"),
            "notes": self.notes,
            "frames": self.frames,
            "stacks": self.stacks,
            "catches": self.catches,
            "greenlets": records,
            "threads": threads,
            "locks": locks,
            "pools": found,
            "coroutines": loops,
        }

    def threads(self, lot):
        """The OS threads with their stacks; the agent's own, and in the loop this one, say so."""
        here = _own_ident()
        names = _thread_names()
        records = []
        for ident, frame in sys._current_frames().items():
            is_here = ident == here
            greenlet = None if is_here and self.mode == "loop" else lot.running_in(ident)
            wait = None
            if not is_here:
                wait = lot.native_wait(ident, frame)
            records.append(
                {
                    "ident": ident,
                    "name": names.get(ident, ""),
                    "is_main": ident == main_ident,
                    "is_dumping": is_here,
                    "greenlet": id(greenlet) if greenlet is not None else 0,
                    "stack": self.stack(frame),
                    "parked_on": wait,
                }
            )
        return records

    def greenlet(self, greenlet, lot, running):
        frame = getattr(greenlet, "gr_frame", None)
        state = _state(greenlet, frame)
        record = {
            "id": id(greenlet),
            "type": type(greenlet).__name__,
            "state": state,
            "user": self.user(greenlet),
            "is_hub": greenlet in lot.hubs,
            "run": _run_name(greenlet),
            "stack": None if frame is None else self.stack(frame),
            "parked_on": None,
        }
        if state == "parked":
            record["parked_on"] = lot.parked_on(greenlet)
        elif id(greenlet) in running:
            thread = running[id(greenlet)]
            record["stack"] = thread["stack"]
            record["parked_on"] = thread["parked_on"] or {"kind": "running"}
        elif greenlet:  # it runs in another thread, or is about to begin
            record["parked_on"] = {"kind": "running"}
        return record

    def user(self, greenlet):
        try:
            return self.slot_of(greenlet) if self.slot_of is not None else None
        except Exception:
            return None

    def locks(self, lot, greenlets):
        """The locks that somebody waits for, with their names and, where it can be known, who holds them."""
        if not lot.locks or _monotonic() > self.deadline:
            return []
        try:
            return lot.describe_locks(greenlets)
        except Exception as error:
            self.notes.append("locks: %s: %s" % (type(error).__name__, error))
            return []

    def pools(self, greenlets):
        """The pools whose tasks wait for tasks, and who waits for which; None where there are none, or no time."""
        if _monotonic() > self.deadline:
            return None
        runners = [(id(greenlet), getattr(greenlet, "gr_frame", None)) for greenlet in greenlets]
        here = sys._getframe()
        runners += [(ident, frame) for ident, frame in sys._current_frames().items() if frame is not here]
        try:
            return pools.Pools(runners).document()
        except Exception as error:
            self.notes.append("pools: %s: %s" % (type(error).__name__, error))
            return None

    def coroutines(self):
        """The loops of asyncio with their tasks; none where there is no time."""
        if _monotonic() > self.deadline:
            return []
        try:
            return coroutines.loops(list(sys._current_frames().values()), self.stack_of)
        except Exception as error:
            self.notes.append("coroutines: %s: %s" % (type(error).__name__, error))
            return []

    def stack(self, frame):
        """The index of this frame's stack, outermost first."""
        return self.stack_of(list(outwards(frame, MOST_FRAMES)))

    def stack_of(self, frames):
        """The index of a stack, whose innermost frame is the first of ``frames``."""
        found = [self.frame(part) for part in frames]
        if len(found) > INNER_FRAMES + OUTER_FRAMES:
            cut = len(found) - INNER_FRAMES - OUTER_FRAMES
            found = [*found[:INNER_FRAMES], self.row(("", 0, "<%d frames cut>" % cut)), *found[-OUTER_FRAMES:]]
        found.reverse()
        key = tuple(found)
        if key not in self.stack_index:
            self.stack_index[key] = len(self.stacks)
            self.stacks.append(found)
            catch = handlers.catching(frames)
            if catch is not None:
                self.catches[self.stack_index[key]] = catch
        return self.stack_index[key]

    def frame(self, frame):
        code = frame.f_code
        return self.row((code.co_filename, frame.f_lineno or 0, getattr(code, "co_qualname", code.co_name)))

    def row(self, key):
        if key not in self.frame_index:
            self.frame_index[key] = len(self.frames)
            self.frames.append(list(key))
        return self.frame_index[key]


def _files_in_sight():
    """The source files of all frames that there are now."""
    kind = getattr(sys.modules.get("greenlet"), "greenlet", ())
    tops = [getattr(item, "gr_frame", None) for item in gc.get_objects() if isinstance(item, kind)]
    tops += sys._current_frames().values()
    return {frame.f_code.co_filename for top in tops for frame in outwards(top, MOST_FRAMES)}


def _state(greenlet, frame):
    if frame is not None:
        return "parked"
    return "running" if _has_begun(greenlet) else "unstarted"


def _has_begun(item):
    """By greenlet's own word: gevent calls one that was spawned, and waits to begin, alive as well."""
    try:
        return sys.modules["greenlet"].greenlet.__bool__(item)
    except (AttributeError, KeyError, TypeError):
        return bool(item)


def _run_name(greenlet):
    """The function that the greenlet was made to run, where it still knows."""
    try:
        run = getattr(greenlet, "_run", None)
        run = getattr(run, "func", run)  # a partial
        return getattr(run, "__qualname__", "") or ""
    except Exception:
        return ""


def _thread_names():
    threading = sys.modules.get("threading")
    active = getattr(threading, "_active", {})
    try:
        return {ident: str(getattr(thread, "_name", "")) for ident, thread in list(active.items())}
    except Exception:
        return {}


def _version_of(name):
    return str(getattr(sys.modules.get(name), "__version__", ""))


def _replace(path, text):
    """Write the file whole or not at all."""
    partial = path + ".partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)
    os.rename(partial, path)


def _json(value):
    """JSON of dicts, lists, strings, numbers, booleans and None: importing ``json`` could wait for a lock."""
    parts = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value, put):
    if value is None:
        put("null")
    elif value is True or value is False:
        put("true" if value else "false")
    elif isinstance(value, (int, float)):
        put(repr(value))
    elif isinstance(value, dict):
        _write_all("{}", value.items(), put, _write_pair)
    elif isinstance(value, (list, tuple)):
        _write_all("[]", value, put, _write)
    else:
        put(_quoted(str(value)))


def _write_pair(pair, put):
    put(_quoted(str(pair[0])) + ":")
    _write(pair[1], put)


def _write_all(brackets, items, put, write_item):
    put(brackets[0])
    for index, item in enumerate(items):
        if index:
            put(",")
        write_item(item, put)
    put(brackets[1])


def _quoted(text):
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    if not text.isprintable():
        text = "".join(part if " " <= part < "\x7f" else "\\u%04x" % min(ord(part), 0xFFFF) for part in text)
    return '"%s"' % text
