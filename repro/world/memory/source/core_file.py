"""The memory of a process as a core dump has it: what the kernel writes at a crash, or ``gcore`` of a living process.

    program headers (PT_LOAD)   which addresses lie where in the file; read-only code is often left out
    note NT_FILE                which files were mapped where: what was left out is read from them
    note NT_AUXV                which of those files is the interpreter
    note NT_PRSTATUS, a thread  its id and its registers: on which stack it ran, in which system call it stood
    note NT_PRPSINFO            the process's id, its command

Layouts: ``man 5 elf``, ``man 5 core``, and the kernel's ``struct elf_prstatus`` of x86_64. The headers are read by
pyelftools, as those of libraries are.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from repro.core.diagnosis.standstill import KernelThread, KernelWait
from repro.core.diagnosis.system_calls import CALLS, wait_of
from repro.errors import ProcessError, UsageError
from repro.world.memory.source.pages import DELETED, PAGE_BYTES, Memory, Region

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

READABLE, WRITABLE, EXECUTABLE = 4, 2, 1
AT_PHDR = 3
"""Of the auxiliary vector: where the program's own headers lie, which is in the file that was executed."""
PRIVATE = 128
"""Of a futex's operation: only threads of the process itself can wake who waits (``FUTEX_PRIVATE_FLAG``)."""
MACHINE = "x86_64"
_THREAD_ID = struct.Struct("<i")
_REGISTERS = struct.Struct("<27Q")
_ID_AT, _REGISTERS_AT = 32, 112
_R10, _RSI, _CALL, _RSP = 7, 13, 15, 19
"""The fourth argument of a system call, its second, its number, and the stack's end, among the registers."""
_NO_CALL = (1 << 64) - 1


@dataclass(frozen=True)
class Dumped:
    """A part of the memory that lies in the core file: ``size`` bytes from ``start`` on are at ``offset``."""

    start: int
    size: int
    offset: int


@dataclass(frozen=True)
class Mapped:
    """A file that was mapped: ``start`` to ``end`` show it from ``offset`` on."""

    start: int
    end: int
    offset: int
    path: str


@dataclass(frozen=True)
class Core:
    """What a core file tells beside the memory; ``executable`` is the program's file, "" where that is not told."""

    path: Path
    pid: int
    command: str
    executable: str
    threads: tuple[KernelThread, ...]
    main_stack: int
    regions: tuple[Region, ...]
    dumped: tuple[Dumped, ...]
    mapped: tuple[Mapped, ...]


class CoreMemory(Memory):
    """The memory in a core file; ``python`` is the interpreter where that is not at its old place."""

    def __init__(self, core: Core, *, python: Path | None = None) -> None:
        super().__init__(core.pid)
        self._core = core
        self._python = python
        self._file = core.path.open("rb")
        self._starts_dumped = [one.start for one in core.dumped]
        self._starts_mapped = [one.start for one in core.mapped]
        self._opened: dict[str, IO[bytes]] = {}
        self.renew()

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._file, *self._opened.values()):
            file.close()

    def now(self) -> None:
        """A core file does not tell what time it was."""

    def open_image(self, first: Region) -> IO[bytes]:
        """The file at the path that the process had it from."""
        path = self.file_of(first.path)
        try:
            file = path.open("rb")
        except OSError as error:
            raise self._missing(path, error) from None
        begin = self._dumped_of(first.start, PAGE_BYTES)
        if len(begin) == PAGE_BYTES and begin != file.read(PAGE_BYTES):
            file.close()
            raise ProcessError(f"{path} is not the file with which {self._core.path} was made; {_WHERE}")
        file.seek(0)
        return file

    def check_executable(self) -> None:
        """See to it that the interpreter, which is run soon, is the one of then.

        Raises:
            ProcessError: it is gone, or another one.
        """
        first = next((one for one in self.regions if one.path and one.path == self._core.executable), None)
        if first is not None:
            self.open_image(first).close()

    def file_of(self, path: str) -> Path:
        """A file of the process as this program finds it."""
        is_replaced = self._python is not None and path == self._core.executable
        return self._python if is_replaced and self._python is not None else Path(path.removesuffix(DELETED))

    def _missing(self, path: Path, error: OSError) -> ProcessError:
        return ProcessError(f"{path}, of which the process in {self._core.path} ran code: {error.strerror}; {_WHERE}")

    def _mapped(self) -> Sequence[Region]:
        return self._core.regions

    def _pread(self, address: int, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self._dumped_of(address, size - len(found)) or self._of_file(address, size - len(found))
            if not more:
                break
            found, address = found + more, address + len(more)
        if not found:
            raise OSError(f"{address:#x} is not in the core file")
        return found

    def _dumped_of(self, address: int, size: int) -> bytes:
        """What the core file has from this address on, as far as it goes."""
        index = bisect_right(self._starts_dumped, address) - 1
        one = self._core.dumped[index] if index >= 0 else None
        if one is None or address >= one.start + one.size:
            return b""
        size = min(size, one.start + one.size - address)
        return os.pread(self._file.fileno(), size, one.offset + address - one.start)

    def _of_file(self, address: int, size: int) -> bytes:
        """What a mapped file has there: read-only data, which is the same in the file."""
        index = bisect_right(self._starts_mapped, address) - 1
        one = self._core.mapped[index] if index >= 0 else None
        region = self.region(address)
        if one is None or address >= one.end or (region is not None and region.is_writable):
            return b""
        if one.path not in self._opened:
            path = self.file_of(one.path)
            try:
                self._opened[one.path] = path.open("rb")
            except OSError as error:
                raise self._missing(path, error) from None
        size = min(size, one.end - address)
        return os.pread(self._opened[one.path].fileno(), size, one.offset + address - one.start)


_WHERE = "put it back, or give the interpreter by --python"


def read_core(path: Path) -> Core:
    """What a core file tells.

    Raises:
        UsageError: it is not a core file, or one of another kind of machine.
        ProcessError: it is cut off, or lacks what is needed.
    """
    from elftools.common.exceptions import ELFError

    try:
        with path.open("rb") as file:
            return _core(path, file)
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; give a core file, as `gcore PID` makes it") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); give a core file, as `gcore PID` makes it"
        ) from None
    except (ELFError, UnicodeDecodeError, struct.error, KeyError, AttributeError, ValueError, OverflowError):
        raise UsageError(f"{path} is not a core file; `gcore PID` makes one of a running process") from None


def _check_machine(path: Path, elf: ELFFile) -> None:
    """Refuse what was not written on x86_64, and to read it elsewhere: there its interpreter does not run.

    Raises:
        UsageError: one sentence.
    """
    kind, here = str(elf["e_machine"]).removeprefix("EM_"), os.uname().machine
    if (kind, elf.elfclass) != ("X86_64", 64):
        raise UsageError(
            f"{path} was written on a machine of another kind ({kind}, {elf.elfclass} bits); only core files of Linux "
            "on x86_64 are read"
        )
    if here != MACHINE:
        raise UsageError(
            f"{path} was written on {MACHINE}, and this machine is {here}; read it on {MACHINE}, where its interpreter "
            "runs"
        )


def _core(path: Path, file: IO[bytes]) -> Core:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(file)
    if elf["e_type"] != "ET_CORE":
        raise UsageError(
            f"{path} is a program or a library, not a core file; `gcore PID` makes one of a running process"
        )
    _check_machine(path, elf)
    loads = [segment.header for segment in elf.iter_segments("PT_LOAD")]
    whole = max((one["p_offset"] + one["p_filesz"] for one in loads), default=0)
    size = path.stat().st_size
    if size < whole:
        raise ProcessError(
            f"{path} is cut off: {size:,} of {whole:,} bytes are there; raise the limit (`ulimit -c unlimited`), "
            "or make room on the disk"
        )
    notes = _Notes.of(elf)
    mapped = tuple(sorted(notes.mapped, key=lambda one: one.start))
    stack = notes.stacks.get(notes.pid, 0)
    regions = tuple(_named(region, mapped, stack) for region in _regions(loads, mapped))
    if not notes.threads or not regions:
        raise ProcessError(f"{path} tells of no thread or of no memory; make it by `gcore PID`")
    return Core(
        path=path,
        pid=notes.pid,
        command=notes.command,
        executable=next((one.path for one in mapped if one.start <= notes.headers_at < one.end), ""),
        threads=notes.threads,
        main_stack=stack,
        regions=regions,
        dumped=tuple(
            Dumped(one["p_vaddr"], one["p_filesz"], one["p_offset"])
            for one in sorted(loads, key=lambda one: one["p_vaddr"])
            if one["p_filesz"]
        ),
        mapped=mapped,
    )


def _regions(loads: Sequence[Mapping[str, int]], mapped: Sequence[Mapped]) -> Iterator[Region]:
    """What was mapped: the segments, and the files of which the core has no segment at all."""
    found = []
    for one in loads:
        bits = one["p_flags"]
        names = ((READABLE, "r"), (WRITABLE, "w"), (EXECUTABLE, "x"))
        permissions = "".join(letter if bits & bit else "-" for bit, letter in names) + "p"
        found.append(Region(one["p_vaddr"], one["p_vaddr"] + one["p_memsz"], permissions, 0, ""))
    covered = sorted((one.start, one.end) for one in found)
    starts = [start for start, _ in covered]
    for file in mapped:
        index = bisect_right(starts, file.start) - 1
        if index < 0 or file.start >= covered[index][1]:
            found.append(Region(file.start, file.end, "r-xp", 0, ""))
    return iter(sorted((one for one in found if one.permissions.startswith("r")), key=lambda one: one.start))


def _named(region: Region, mapped: Sequence[Mapped], stack: int) -> Region:
    """The region with the file that was mapped there, or with the main thread's stack's name."""
    if region.start <= stack < region.end:
        return replace(region, path="[stack]")
    index = bisect_right(mapped, region.start, key=lambda one: one.start) - 1
    is_file = index >= 0 and region.start < mapped[index].end
    return replace(region, path=mapped[index].path) if is_file else region


@dataclass(frozen=True)
class _Notes:
    """What the notes say: ``stacks`` has by thread where its stack ends, ``headers_at`` lies in the program's file."""

    pid: int
    command: str
    threads: tuple[KernelThread, ...]
    stacks: Mapping[int, int]
    mapped: tuple[Mapped, ...]
    headers_at: int

    @classmethod
    def of(cls, elf: ELFFile) -> _Notes:
        segments: list[Any] = list(elf.iter_segments("PT_NOTE"))
        notes = [note for segment in segments for note in segment.iter_notes()]
        by_kind: dict[str, list[Any]] = {}
        for note in notes:
            by_kind.setdefault(str(note["n_type"]), []).append(note)
        process = next(iter(by_kind.get("NT_PRPSINFO", ())), None)
        status = [note["n_descdata"] for note in by_kind.get("NT_PRSTATUS", ())]
        threads = {_THREAD_ID.unpack_from(one, _ID_AT)[0]: _REGISTERS.unpack_from(one, _REGISTERS_AT) for one in status}
        pid = int(process["n_desc"]["pr_pid"]) if process is not None else next(iter(threads), 0)
        vector = next((note["n_descdata"] for note in by_kind.get("NT_AUXV", ())), b"")
        files = next((note["n_desc"] for note in by_kind.get("NT_FILE", ())), None)
        return cls(
            pid=pid,
            command=_text(process["n_desc"]["pr_psargs"]) if process is not None else "",
            threads=tuple(KernelThread(tid, tid == pid, _wait_of(registers)) for tid, registers in threads.items()),
            stacks={tid: registers[_RSP] for tid, registers in threads.items()},
            mapped=tuple(_mapped_files(files)) if files is not None else (),
            headers_at=dict(struct.iter_unpack("<QQ", vector)).get(AT_PHDR, 0),
        )


def _mapped_files(files: Any) -> Iterator[Mapped]:
    for entry, name in zip(files["Elf_Nt_File_Entry"], files["filename"], strict=True):
        yield Mapped(entry["vm_start"], entry["vm_end"], entry["page_offset"] * files["page_size"], _text(name))


def _text(value: bytes | str) -> str:
    raw = value if isinstance(value, bytes) else value.encode("latin-1", "replace")
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def _wait_of(registers: Sequence[int]) -> KernelWait:
    """In which call a thread stood; a poll that does not wait is work, and a lock of other processes not only ours."""
    number, limit = registers[_CALL], registers[_R10]
    if number == _NO_CALL or (number in CALLS[MACHINE].polls and limit == 0):
        return KernelWait.RUNNING
    wait = wait_of(MACHINE, number, limit)
    is_ours = bool(registers[_RSI] & PRIVATE)
    return KernelWait.OTHER if wait is KernelWait.LOCK and not is_ours else wait
