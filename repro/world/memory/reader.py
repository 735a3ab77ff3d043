"""All that can be read of a process's Python code without running anything in it, as a dump like the agent's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.core.diagnosis.standstill import HUB, SLEEP
from repro.core.hang.dump import Dump, Greenlet, ParkedAt, Thread
from repro.core.hang.frames import Frame
from repro.errors import ProcessError, UsageError
from repro.findings import WaitKind
from repro.world.memory.code import Codes
from repro.world.memory.confirmation import confirmed, rest_of
from repro.world.memory.frames import Frames
from repro.world.memory.greenlets import ForeignGreenlet, Greenlets, State
from repro.world.memory.layout import Layout, learn
from repro.world.memory.objects import Objects
from repro.world.memory.source.core_file import Core, CoreMemory
from repro.world.memory.source.images import Image, images
from repro.world.memory.source.pages import DELETED, ForeignMemory, Memory, TornError
from repro.world.memory.source.target import DumpedProcess, ForeignProcess, Target
from repro.world.memory.threads import ForeignThread, Threads
from repro.world.memory.waits import WaitReader, Waits

READ_LIMIT_S = 10.0
MODE = "memory"
"""How a dump says who wrote it."""
ATTEMPTS = 3
MOST_PARENTS = 1000
LIVING = frozenset({State.RUNNING, State.PARKED, State.MOVING})


@dataclass(frozen=True)
class Loaded:
    """What a process's images tell: the runtime's and greenlet's addresses, None where it has no greenlet."""

    runtime: int
    greenlet: Image | None
    greenlet_type: int
    folders: tuple[str, ...]


class ProcessReader:
    """A process whose layout is known: each ``dump`` is a new look at it."""

    def __init__(self, target: Target, memory: Memory) -> None:
        self._target = target
        self._memory = memory
        self._learn()

    @property
    def packages(self) -> str:
        """The folder of its packages as this program finds it, "" where it has no greenlet."""
        found = self._loaded.greenlet
        return str(self._target.file_of(found.path).parent.parent) if found else ""

    def dump(self, *, limit_s: float = READ_LIMIT_S) -> Dump:
        """The stacks of all threads and of all greenlets, and what the parked ones wait for.

        Raises:
            ProcessError: it changed at every attempt, as one does that ends.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._dump(limit_s)
            except TornError as error:  # a program that starts maps and unmaps, and a look may take long
                if attempt == ATTEMPTS:
                    raise ProcessError(
                        f"{self._target.name} changed while it was read, or is about to end ({error}); try again"
                    ) from error
        raise AssertionError(ATTEMPTS)

    def turning(self) -> frozenset[int]:
        """The identities of the threads that stand in their event loop at this moment; a small part of a dump's work.

        One that changed while it was read is left out.
        """
        try:
            self._memory.renew()
            return _Reader(self._memory, self._layout, self._loaded, main_id=self._target.inner_pid).turning()
        except TornError:
            return frozenset()

    def _dump(self, limit_s: float) -> Dump:
        self._memory.renew()
        if self._loaded.greenlet is None and images(self._memory, _is_greenlet):
            self._learn()  # it was imported since
        return _Reader(self._memory, self._layout, self._loaded, main_id=self._target.inner_pid).dump(limit_s)

    def close(self) -> None:
        """Let go of the process."""
        self._memory.close()

    def _learn(self) -> None:
        """Run its interpreter once more, to learn where the fields of its objects lie."""
        self._loaded = _loaded(self._memory, self._target)
        extension = self._loaded.greenlet.path if self._loaded.greenlet else ""
        packages = str(Path(extension).parent.parent) if extension else ""
        self._layout = learn(self._target, extension, packages, libraries=self._loaded.folders)
        _check(self._layout, self._target)


def reading_of(target: ForeignProcess) -> ProcessReader:
    """Everything is made ready to read a process.

    Raises:
        UsageError: it runs no CPython that can be read.
        ForbiddenError: its memory belongs to somebody else.
        ProcessError: it ended, or its layout cannot be learned; what to do.
    """
    return _reader(target, ForeignMemory(target.pid))


def reading_of_core(core: Core, python: Path | None = None) -> ProcessReader:
    """The same for a core file; ``python`` is its interpreter where that is not at its old place.

    Raises:
        UsageError: no CPython ran in it that can be read.
        ProcessError: files of it are gone or were replaced, or its layout cannot be learned; what to do.
    """
    interpreter = python or Path(core.executable.removesuffix(DELETED))
    if not core.executable and python is None:
        raise ProcessError(f"{core.path} does not say which program ran; give the interpreter by --python")
    memory = CoreMemory(core, python=python)
    try:
        memory.check_executable()
    except ProcessError:
        memory.close()
        raise
    return _reader(DumpedProcess(core.pid, core.path, core.executable, interpreter), memory)


def _reader(target: Target, memory: Memory) -> ProcessReader:
    try:
        return ProcessReader(target, memory)
    except BaseException:
        memory.close()
        raise


def _check(layout: Layout, target: Target) -> None:
    if layout.is_free_threaded:
        raise UsageError(f"{target.name} runs a free-threaded Python, which cannot be read yet")


def _loaded(memory: Memory, target: Target) -> Loaded:
    image, runtime = _runtime(memory, target)
    folders = (str(Path(image.path).parent),) if _is_library(image.name) else ()
    for extension in images(memory, _is_greenlet):
        kind = extension.address_of("PyGreenlet_Type")
        if kind is not None:
            if not extension.name.startswith("_"):  # up to 0.4 the module was greenlet itself
                raise UsageError(f"{target.name} runs greenlet 0.4, which cannot be read; 1.1 is the oldest that can")
            if extension.is_replaced:
                raise ProcessError(f"{extension.path}: greenlet was replaced since {target.name} began")
            return Loaded(runtime, extension, kind, folders)
    return Loaded(runtime, None, 0, folders)


def _runtime(memory: Memory, target: Target) -> tuple[Image, int]:
    """Where CPython's state lies: in its library, in the executable, or in a program that has CPython inside."""
    own = Path(target.executable).name
    for is_wanted in (_is_library, lambda name: name == own, lambda name: ".so" not in name):
        for image in images(memory, is_wanted):
            runtime = image.address_of("_PyRuntime")
            if runtime is not None:
                return image, runtime
    raise UsageError(f"{target.name} runs {own}, not Python; give that of the process which runs the test")


def _is_library(name: str) -> bool:
    return name.startswith("libpython3")


def _is_greenlet(name: str) -> bool:
    return name.startswith(("_greenlet", "greenlet")) and name.endswith(".so")


class _Reader:
    """One reading of one process."""

    def __init__(self, memory: Memory, layout: Layout, loaded: Loaded, *, main_id: int) -> None:
        self._memory = memory
        self._layout = layout
        self._loaded = loaded
        self._main_id = main_id
        self._objects = Objects(memory, layout, loaded.runtime)
        self._codes = Codes(self._objects)
        self._frames = Frames(self._objects, self._codes)

    def turning(self) -> frozenset[int]:
        """The threads in whose loop nobody has a turn just now."""
        return frozenset(one.ident for one in self._threads() if one.stack and one.stack[-1].normalised == HUB)

    def dump(self, limit_s: float) -> Dump:
        """The whole."""
        threads = self._threads()
        found, notes = self._greenlets(limit_s)
        homes = self._homes(found, threads)
        running = _running(found, threads, homes)
        waits, greenlets = self._waits(found, threads, homes, limit_s)
        return Dump(
            pid=self._memory.pid,
            mode=MODE,
            at=time.monotonic(),
            python=".".join(map(str, self._layout.python)),
            gevent=self._layout.gevent,
            greenlet=self._layout.greenlet,
            notes=notes,
            greenlets=tuple(
                _greenlet(one, waits.by_greenlet.get(one.id), running.get(one.id), home=homes.get(one.id, 0))
                for one in greenlets
                if one.state in LIVING
            ),
            threads=tuple(_thread(one, running, is_main=one.native_id == self._main_id) for one in threads),
            locks=waits.locks,
            to_come=waits.to_come,
        )

    def _waits(
        self,
        greenlets: Sequence[ForeignGreenlet],
        threads: Sequence[ForeignThread],
        homes: Mapping[int, int],
        limit_s: float,
    ) -> tuple[Waits, Sequence[ForeignGreenlet]]:
        """What the parked ones wait for; and the greenlets, those as they are now that seemed to wait for nothing."""
        parked = [one.id for one in greenlets if one.state is State.PARKED]
        reader = WaitReader(self._objects, parked)
        waits = reader.read(limit_s=limit_s)
        if not waits.by_greenlet:
            return waits, greenlets
        asleep = [one.id for one in greenlets if one.stack and one.stack[-1].normalised == SLEEP]
        loops = set(homes.values())
        native = [one.native_id for one in threads if one.ident in loops and one.native_id]
        waits = confirmed(waits, asleep=asleep, again=reader.again, rest=lambda: self._rest(native))
        lost = {one for one in asleep if one not in waits.by_greenlet}
        self._memory.forget()
        describer = Greenlets(self._objects, self._frames, self._loaded.greenlet_type)
        return waits, [describer.describe(one.id) if one.id in lost else one for one in greenlets]

    def _rest(self, threads: Sequence[int]) -> tuple[str, ...]:
        """What changes when one of these threads runs: in a core file nothing does."""
        if self._memory.now() is None:
            return ("dumped",)
        return rest_of(self._memory.pid, threads) if threads else ()

    def _homes(self, greenlets: Sequence[ForeignGreenlet], threads: Sequence[ForeignThread]) -> Mapping[int, int]:
        """By greenlet the identity of its thread: the one on whose C stack the greenlet's begins.

        The main greenlet of a thread begins nowhere; it is where those are that descend from it.
        """
        by_stack = {self._stack_of(one): one.ident for one in threads}
        by_id = {one.id: one for one in greenlets}
        found: dict[int, int] = {}
        for one in greenlets:
            region = self._memory.region(one.stop - 8) if one.stop and not one.is_main else None
            if region is not None and region.start in by_stack:
                found[one.id] = by_stack[region.start]
                found.setdefault(_root(one, by_id), found[one.id])
        return found

    def _stack_of(self, thread: ForeignThread) -> int:
        """Where the region begins that holds a thread's C stack: a thread's identity lies at the top of it."""
        if thread.native_id == self._main_id:
            return next((region.start for region in self._memory.regions if region.path == "[stack]"), 0)
        region = self._memory.region(thread.ident)
        return region.start if region else 0

    def _threads(self) -> tuple[ForeignThread, ...]:
        reader = Threads(self._objects, self._frames, self._loaded.runtime)
        for _ in range(ATTEMPTS - 1):
            try:
                return reader.read()
            except TornError:
                self._memory.forget()
        return reader.read()

    def _greenlets(self, limit_s: float) -> tuple[list[ForeignGreenlet], tuple[str, ...]]:
        if self._loaded.greenlet is None:
            return [], ()
        reader = Greenlets(self._objects, self._frames, self._loaded.greenlet_type)
        search = reader.find(limit_s=limit_s)
        notes: list[str] = []
        if search.left_out_bytes:
            notes.append(f"{search.left_out_bytes / 1e6:,.0f} MB of memory were not searched within {limit_s:g} s")
        if self._layout.problem:
            notes.append(f"what greenlets wait for could not be read: {self._layout.problem}")
        return [reader.describe(address) for address in search.addresses], tuple(notes)


def _root(one: ForeignGreenlet, by_id: Mapping[int, ForeignGreenlet]) -> int:
    """The main greenlet from which this one descends."""
    for _ in range(MOST_PARENTS):
        parent = by_id.get(one.parent)
        if parent is None:
            break
        one = parent
    return one.id


def _running(
    greenlets: Sequence[ForeignGreenlet], threads: Sequence[ForeignThread], homes: Mapping[int, int]
) -> Mapping[int, ForeignThread]:
    """By greenlet the thread that runs it at this moment; one of no known home is in a thread that is left over."""
    left = {one.ident: one for one in threads}
    found = {}
    for one in sorted((one for one in greenlets if one.state is State.RUNNING), key=lambda one: one.id not in homes):
        home = homes.get(one.id) or next(iter(left), 0)
        if home in left:
            found[one.id] = left.pop(home)
    return found


def _greenlet(one: ForeignGreenlet, wait: ParkedAt | None, thread: ForeignThread | None, *, home: int) -> Greenlet:
    stack = thread.stack if thread else one.stack
    if wait is None and one.is_main:
        wait = ParkedAt(WaitKind.HUB)  # it goes on when the hub ends
    return Greenlet(
        id=one.id,
        type=one.type,
        run=_run(stack),
        state=one.state.value,
        user=None,
        is_hub=one.type.rpartition(".")[2] == "Hub",
        stack=stack,
        wait=ParkedAt(WaitKind.RUNNING) if thread else wait,
        thread=home,
        mark=one.mark,
    )


def _run(stack: Sequence[Frame]) -> str:
    """The first function of the program's own in which a greenlet runs."""
    return stack[0].function if stack else ""


def _thread(one: ForeignThread, running: Mapping[int, ForeignThread], *, is_main: bool) -> Thread:
    greenlet = next((greenlet for greenlet, thread in running.items() if thread is one), 0)
    return Thread(
        ident=one.ident,
        name="",
        is_main=is_main,
        is_dumping=False,
        greenlet=greenlet,
        stack=one.stack,
        wait=None,
        holds_gil=one.holds_gil,
        native_id=one.native_id,
    )
