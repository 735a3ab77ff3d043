"""A core file of another kind of machine is refused in one sentence, whichever kind it is: known by its header alone."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from repro.errors import UsageError
from repro.world.memory.source.core_file import read_core

CORE = 4
X86_64, I386, ARM, AARCH64, S390, UNHEARD_OF = 62, 3, 40, 183, 22, 4660


def header(machine: int, *, bits: int = 64, is_big: bool = False) -> bytes:
    """The first bytes of a core file: its ELF header, with no segment."""
    begin = b"\x7fELF" + bytes([bits // 32, 2 if is_big else 1, 1]) + bytes(9)
    address = "Q" if bits == 64 else "I"
    fields = struct.Struct(f"{'>' if is_big else '<'}HHI{address * 3}IHHHHHH")
    return begin + fields.pack(CORE, machine, 1, 0, 0, 0, 0, 16 + fields.size, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("machine", "bits", "is_big", "kind"),
    [
        (AARCH64, 64, False, "AARCH64, 64 bits"),
        (ARM, 32, False, "ARM, 32 bits"),
        (I386, 32, False, "386, 32 bits"),
        (X86_64, 32, False, "X86_64, 32 bits"),
        (S390, 64, True, "S390, 64 bits"),
        (UNHEARD_OF, 64, False, "4660, 64 bits"),
    ],
)
def test_a_core_of_another_kind_of_machine_is_refused(
    machine: int, bits: int, *, is_big: bool, kind: str, tmp_path: Path
) -> None:
    core = tmp_path / "core"
    core.write_bytes(header(machine, bits=bits, is_big=is_big))
    with pytest.raises(UsageError) as raised:
        read_core(core)
    assert f"another kind ({kind}); only core files of Linux on x86_64 are read" in str(raised.value)


@pytest.mark.parametrize("here", ["aarch64", "arm64", "riscv64"])
def test_a_core_of_x86_64_is_refused_on_another_machine(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = tmp_path / "core"
    core.write_bytes(header(X86_64))
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=here))
    with pytest.raises(UsageError) as raised:
        read_core(core)
    assert f"this machine is {here}; read it on x86_64" in str(raised.value)
