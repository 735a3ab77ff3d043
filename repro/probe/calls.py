"""Calls that are under way: code objects, frames, the greenlets that are parked in them, the threads that run them."""

import ctypes
import struct
import sys
import threading
import time

from repro_probe.base import (
    ALL_ONES,
    FOUND,
    KEPT,
    MEMORY,
    SINCE_310,
    SINCE_311,
    WORD,
    UnclearError,
    common,
    learn,
    learn_int,
    only,
)

PLANTED = """
class Planted{number}:
    def outer(self, switch, first, second):
        frames.append(here())
{padding}
        kept = [first]
        return self.inner(switch, second, kept)

    def inner(self, switch, third, fourth):
        third = (third,)
        frames.append(here())
{padding}
        return switch(third)
"""


class Planted:
    """Known calls that are under way: their inner and outer frames."""

    def __init__(self):
        self.inner, self.outer = [], []
        for number in range(4):
            self._plant(number)

    @property
    def frames(self):
        """All of them, the inner ones first."""
        return self.inner + self.outer

    def _plant(self, number):
        frames = []
        source = PLANTED.format(number=number, padding="        padding = [switch]\n" * (2 * number + 1))
        names = {"frames": frames, "here": sys._getframe}
        exec(compile("\n" * (10 * number) + source, "/planted/%d.py" % number, "exec"), names)
        owner = names["Planted%d" % number]()
        KEPT.append((owner, frames, names))
        self.call(number, owner.outer)
        self.outer.append(frames[0])
        self.inner.append(frames[1])


class ParkedCalls(Planted):
    """Each in its own greenlet, which is parked."""

    def __init__(self, greenlet):
        self.greenlet, self.greenlets = greenlet, []
        self.current = greenlet.getcurrent()
        super().__init__()

    def call(self, number, outer):
        """Begin it, in a greenlet with one parent or the other."""
        parent = self.current if number % 2 else self.current.parent
        child = self.greenlet.greenlet(outer, parent)
        child.switch(self.current.switch, object(), object())
        self.greenlets.append(child)


class WaitingCalls(Planted):
    """Each in its own thread, which waits: for a process without greenlets."""

    def __init__(self):
        self.gate = threading.Lock()
        self.gate.acquire()
        super().__init__()

    def call(self, number, outer):  # noqa: ARG002  # as the other one
        """Begin it, in a thread."""
        ready = threading.Event()

        def wait(_):
            ready.set()
            self.gate.acquire()

        threading.Thread(target=outer, args=(wait, object(), object()), daemon=True).start()
        ready.wait()
        time.sleep(0.01)  # until it stands in its lock


def learn_code(frames):
    """A code object's file, name, first line and line table."""
    codes = [frame.f_code for frame in frames]
    table = "co_linetable" if SINCE_310 else "co_lnotab"
    name = "co_qualname" if SINCE_311 else "co_name"
    for field, attribute in (("co_filename", "co_filename"), ("co_name", name), ("co_table", table)):
        learn(field, [(id(code), id(getattr(code, attribute))) for code in codes], 256)
    learn_int("co_firstlineno", [(id(code), code.co_firstlineno) for code in codes], 256)
    FOUND["table"] = "locations" if SINCE_311 else "lines" if SINCE_310 else "lnotab"


def learn_frame_objects(planted):
    """Up to 3.10: frames are objects that point at the one before them."""
    frames = planted.frames
    learn("f_back", [(id(inner), id(outer)) for inner, outer in zip(planted.inner, planted.outer)], 256)
    learn("f_code", [(id(frame), id(frame.f_code)) for frame in frames], 256)
    for unit in (1, 2):  # 3.10 counts instructions, the others bytes
        hits = common([MEMORY.offsets_of_int(id(frame), frame.f_lasti // unit, 256) for frame in frames])
        if len(hits) == 1:
            FOUND["f_lasti"], FOUND["lasti_unit"] = hits.pop(), unit
            return
    raise UnclearError("f_lasti")


def learn_interpreter_frames(planted):
    """From 3.11 on: the frame object points at the interpreter's, which has code, instruction and the one before."""
    frames = planted.frames
    hops = [
        {
            WORD * index
            for index, word in enumerate(MEMORY.words(id(frame), 96))
            if index > 1 and id(frame.f_code) in _untagged(MEMORY.words(word, 96))
        }
        for frame in frames
    ]
    FOUND["f_frame"] = only("f_frame", common(hops))
    inner = [_of_frame(frame) for frame in frames]
    codes = [
        {WORD * index for index, word in enumerate(MEMORY.words(at, 96)) if word & ~7 == id(frame.f_code)}
        for at, frame in zip(inner, frames)
    ]
    FOUND["i_code"] = only("i_code", common(codes))
    links = [(_of_frame(one), _of_frame(before)) for one, before in zip(planted.inner, planted.outer)]
    hits = common([MEMORY.offsets_of(at, before, 96) for at, before in links])
    if not hits:  # greenlet 3.0.0 and 3.0.1 on 3.12 keep the link themselves while a greenlet is parked
        mine = sys._getframe()
        hits = MEMORY.offsets_of(_of_frame(mine), _of_frame(mine.f_back), 96)
        FOUND["cut_links"] = [before for _, before in links]
    FOUND["i_previous"] = only("i_previous", hits)
    instructions = [
        {
            (WORD * index, word - id(frame.f_code) - frame.f_lasti)
            for index, word in enumerate(MEMORY.words(at, 96))
            if 0 < word - id(frame.f_code) - frame.f_lasti < 1024
        }
        for at, frame in zip(inner, frames)
    ]
    FOUND["i_instruction"], FOUND["co_code"] = only("i_instruction", common(instructions))


def _untagged(words):
    return [word & ~7 for word in words]


def _of_frame(frame):
    return MEMORY.word(id(frame) + FOUND["f_frame"])


# Greenlets


def load_greenlet(path):
    """The extension by its file: its package need not be importable here."""
    from importlib.machinery import ExtensionFileLoader
    from importlib.util import module_from_spec, spec_from_file_location

    loader = ExtensionFileLoader("greenlet._greenlet", path)
    module = module_from_spec(spec_from_file_location("greenlet._greenlet", path, loader=loader))
    loader.exec_module(module)
    return module


def learn_greenlets(greenlet, planted):
    """A greenlet's own part, its frame, its C stack, its parent; the vtables by which its parts are recognised."""
    children, main = planted.greenlets, planted.current.parent
    direct = common([MEMORY.offsets_of(id(one), id(frame), 256) for one, frame in zip(children, planted.inner)])
    if direct:  # greenlet 1: everything lies in the object
        FOUND["g_part"], FOUND["g_frame"] = -1, only("g_frame", direct)
    else:
        hops = [
            {
                (WORD * index, offset)
                for index, word in enumerate(MEMORY.words(id(one), 64))
                if index > 1
                for offset in MEMORY.offsets_of(word, id(frame), 256)
            }
            for one, frame in zip(children, planted.inner)
        ]
        FOUND["g_part"], FOUND["g_frame"] = only("g_part", common(hops))
    _learn_stack(greenlet, children, main)
    learn("g_parent", [(_part(one), id(one.parent)) for one in children])
    if "cut_links" in FOUND:
        links = FOUND.pop("cut_links")
        learn("g_cut_link", [(_part(one), link) for one, link in zip(children, links)])
    if FOUND["g_part"] >= 0:
        _learn_identity(greenlet, children, main)
    FOUND["greenlet_type"] = id(greenlet.greenlet)


def _part(one):
    return id(one) if FOUND["g_part"] < 0 else MEMORY.word(id(one) + FOUND["g_part"])


def _learn_stack(greenlet, children, main):
    """``start, stop, copy, saved`` lie side by side; the main greenlet stops at the end of all memory."""
    never = greenlet.greenlet(len)
    low, high = _own_stack()
    good = set()
    for offset in MEMORY.offsets_of(_part(main), ALL_ONES):
        if offset < WORD or MEMORY.words(_part(never) + offset - WORD, 16) != (0, 0):
            continue
        stacks = [MEMORY.words(_part(one) + offset - WORD, 32) for one in children]
        if all(low <= start < stop < high and saved <= stop - start for start, stop, _, saved in stacks):
            good.add(offset - WORD)
    FOUND["g_stack"] = only("g_stack", good)


def _own_stack():
    """The region of memory that holds this thread's C stack."""
    here = ctypes.c_long()
    with open("/proc/self/maps") as file:
        for line in file:
            low, high = (int(part, 16) for part in line.split(None, 1)[0].split("-"))
            if "[stack]" in line:
                return low, high
    raise UnclearError("the stack of %d" % ctypes.addressof(here))


def _learn_identity(greenlet, children, main):
    """Where a greenlet's own part points back at it, and which vtables such parts begin with."""
    never, kinds = greenlet.greenlet(len), {}
    back = [MEMORY.offsets_of(_part(one), id(one), 256) for one in children]
    FOUND["g_self"] = sorted(common(back) | MEMORY.offsets_of(_part(main), id(main), 256))
    if not common(back):
        raise UnclearError("g_self")
    for one in [main, never, *children]:
        kinds[MEMORY.word(_part(one)) - id(greenlet.greenlet)] = True
    FOUND["vtables"] = sorted(kinds)


# Threads


def learn_threads():
    """The interpreter, its list of threads, and of each thread its identity, its system id and its frame."""
    api = ctypes.pythonapi
    get = getattr(api, "PyInterpreterState_Get", None) or api._PyInterpreterState_Get
    get.restype = api.PyThreadState_Get.restype = ctypes.c_void_p
    interpreter = get()
    runtime = ctypes.addressof(ctypes.c_char.in_dll(api, "_PyRuntime"))
    hits = MEMORY.offsets_of(runtime, interpreter, 1 << 12)
    FOUND["runtime_interpreter"] = min(hits)
    FOUND["runtime"] = runtime
    gate, started = threading.Lock(), []
    gate.acquire()

    def wait_here(ready):
        native = threading.get_native_id()
        started.append((api.PyThreadState_Get(), threading.get_ident(), native))
        ready.set()
        gate.acquire()

    for _ in range(3):
        ready = threading.Event()
        threading.Thread(target=wait_here, args=(ready,), daemon=True).start()
        ready.wait()
        time.sleep(0.01)
    states = [state for state, _, _ in started]
    FOUND["interpreter_threads"] = min(MEMORY.offsets_of(interpreter, states[-1], 1 << 15))
    learn("t_next", list(zip(states[1:], states)), 64)  # the youngest comes first
    learn("t_ident", [(state, ident) for state, ident, _ in started])
    _learn_native_id([(ident, native) for _, ident, native in started])
    frames = sys._current_frames()
    _learn_thread_frame([(state, frames[ident]) for state, ident, _ in started])
    _learn_gil(runtime, api)
    gate.release()


GIL_LOOKS = 20
GIL_WITHIN = 1 << 21
"""From 3.12 on the first interpreter lies in the runtime, and its GIL in there."""


def _learn_gil(runtime, api):
    """Where the GIL's last holder stands, from the runtime on; whether it is locked comes next. -1 where it is unclear.

    To read a file the GIL is let go: so read, the word behind the holder is 0. Read by ctypes, which keeps it, it is 1.
    """
    sets = []

    def look():
        state = api.PyThreadState_Get()
        for _ in range(GIL_LOOKS):  # another thread may have had it for a moment, while this one read
            places = _places(runtime, state)
            found = {place for place in places if ctypes.string_at(runtime + place + WORD, 4) == ONE}
            if found:
                break
        sets.append(found)

    look()
    for _ in range(2):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    places = common(sets)
    FOUND["gil_holder"] = places.pop() if len(places) == 1 else -1


ONE = struct.pack("<i", 1)


def _places(runtime, state):
    """At which offsets the runtime names this thread, with a 0 behind it."""
    wanted, found = struct.pack("<Qi", state, 0), set()
    for start in range(0, GIL_WITHIN, 4096):
        data = MEMORY.read(runtime + start, 4096 + 2 * WORD)
        at = data.find(wanted)
        while at >= 0:
            if at % WORD == 0 and at < 4096:
                found.add(start + at)
            at = data.find(wanted, at + 1)
    return found


def _learn_native_id(threads):
    """Where the C library keeps a thread's system id, counted from the identity that Python knows it by."""
    hits = common([MEMORY.offsets_of_int(ident, native, 4096) for ident, native in threads])
    FOUND["ident_native"] = min(hits) if hits else -1


def _learn_thread_frame(threads):
    """In the thread's state itself, or one hop on."""
    sets = []
    for state, frame in threads:
        wanted = _of_frame(frame) if SINCE_311 else id(frame)
        found = {(offset, -1) for offset in MEMORY.offsets_of(state, wanted)}
        for index, word in enumerate(MEMORY.words(state)):
            found |= {(WORD * index, offset) for offset in MEMORY.offsets_of(word, wanted, 32)}
        sets.append(found)
    both = common(sets)
    direct = {one for one in both if one[1] < 0}
    if len(direct) != 1 and not both:
        raise UnclearError("t_frame")
    FOUND["t_frame"] = list(only("t_frame", direct) if direct else min(both, key=lambda one: (one[1], one[0])))
