"""``repro attach --core``: what one moment shows is named, what it does not is left open, bad input is one sentence."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from repro.world.memory.reader import reading_of_core
from repro.world.memory.source.core_file import read_core

PARKED = Path(__file__).parents[1] / "world" / "memory" / "children" / "parked.py"
LIMIT_S = 120.0
PATTERN = Path("/proc/sys/kernel/core_pattern")
MACHINE_AT = 18
"""Where an ELF file says of which machine it is."""
pytestmark = [
    pytest.mark.timed,
    pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="cores of Linux on x86_64"),
    pytest.mark.skipif(shutil.which("gcore") is None, reason="gcore, of gdb, makes them"),
]


def core_of(argv: list[object], folder: Path, *, env: Mapping[str, str] | None = None, is_ready: bool = True) -> Path:
    """The core file of a program that says when it is ready."""
    child = subprocess.Popen([*map(str, argv)], stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert child.stdout is not None
        if is_ready:
            assert child.stdout.readline() == "ready\n"
        words = ["gcore", "-o", str(folder / "core"), str(child.pid)]
        subprocess.run(words, capture_output=True, timeout=LIMIT_S, check=True)
    finally:
        child.kill()
        child.wait(LIMIT_S)
    return folder / f"core.{child.pid}"


def attach(*words: object, folder: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """What it came to, and its document: with an error, that of the error."""
    argv = [sys.executable, "-m", "repro", "attach", "--json", *map(str, words)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done, json.loads(done.stdout) if done.stdout else {}


def test_the_core_of_a_frozen_process_has_every_stack_and_hangs(tmp_path: Path) -> None:
    core = core_of([sys.executable, PARKED, "lock", tmp_path / "truth"], tmp_path)
    reading = reading_of_core(read_core(core))
    try:
        dump = reading.dump()
    finally:
        reading.close()
    found = {str(one.id): [[each.file, each.line, each.function] for each in one.stack] for one in dump.greenlets}
    expected = json.loads((tmp_path / "truth").read_text())
    assert len(expected) > 10
    assert {one: found.get(one) for one in expected} == expected
    done, document = attach("--core", core, "--out", tmp_path / "bundle", folder=tmp_path)
    assert (done.returncode, document["hang_class"], document["users_stuck"]) == (1, "frozen", 17), done.stderr
    assert document["stacks"][0].startswith("main thread")
    assert "gevent" in document["packages"]
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == ["greenlets-1.json", "packages.txt"]


def test_a_lost_wake_up_shows_in_one_moment(tmp_path: Path) -> None:
    core = core_of([sys.executable, PARKED, "lost", tmp_path / "truth"], tmp_path)
    done, document = attach("--core", core, folder=tmp_path)
    assert (done.returncode, document["hang_class"], document["users_stuck"]) == (1, "deadlocked", 3), done.stderr


def test_a_loop_at_work_and_one_that_rests_are_left_open(tmp_path: Path) -> None:
    for mode in ("spin", "turn"):
        core = core_of([sys.executable, PARKED, mode, tmp_path / "truth"], tmp_path)
        done, document = attach("--core", core, folder=tmp_path)
        assert (done.returncode, document["verdict"]) == (3, "inconclusive"), document
        assert "is not known" in document["explanation"]


@pytest.mark.skipif(PATTERN.exists() and "/" in PATTERN.read_text(), reason="cores of this machine go elsewhere")
def test_a_core_that_the_kernel_wrote_at_a_crash_is_read(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, PARKED, "rings", tmp_path / "truth"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    resource.prlimit(child.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGABRT)
    child.wait(LIMIT_S)
    (core,) = tmp_path.glob("core*")
    done, document = attach("--core", core, folder=tmp_path)
    assert (done.returncode, document["hang_class"], document["users_stuck"]) == (1, "deadlocked", 2), done.stderr


def test_an_interpreter_that_is_gone_is_named_and_given(tmp_path: Path) -> None:
    moved = tmp_path / "python-of-then"
    real = Path(sys.executable).resolve()
    shutil.copy(real, moved)
    env = {"PYTHONHOME": sysconfig.get_config_var("prefix"), "PYTHONPATH": sysconfig.get_paths()["purelib"]}
    core = core_of([moved, PARKED, "lost", tmp_path / "truth"], tmp_path, env=env)
    moved.unlink()
    done, _ = attach("--core", core, folder=tmp_path)
    assert (done.returncode, "give the interpreter by --python" in done.stderr) == (4, True), done.stderr
    assert str(moved) in done.stderr
    done, document = attach("--core", core, "--python", real, folder=tmp_path)
    assert (done.returncode, document["users_stuck"]) == (1, 3), done.stderr
    other = shutil.which("sleep")
    done, _ = attach("--core", core, "--python", other, folder=tmp_path)
    assert (done.returncode, "is not the file with which" in done.stderr) == (4, True), done.stderr


def _cut(core: Path) -> None:
    core.write_bytes(core.read_bytes()[: core.stat().st_size // 2])


def _foreign(core: Path) -> None:
    data = bytearray(core.read_bytes())
    data[MACHINE_AT] = 183  # aarch64
    core.write_bytes(bytes(data))


def _not_elf(core: Path) -> None:
    core.write_text("nothing of the kind\n" * 100)


@pytest.mark.parametrize(
    ("spoil", "said", "code"),
    [
        (lambda _: None, "sleep, not Python", 2),
        (_cut, "is cut off", 4),
        (_foreign, "machine of another kind (AARCH64, 64 bits)", 2),
        (_not_elf, "is not a core file", 2),
        (lambda core: core.write_bytes(b""), "is not a core file", 2),
        (lambda core: core.write_bytes(Path("/bin/sh").read_bytes()), "is a program or a library, not a core file", 2),
        (lambda core: (core.unlink(), core.mkdir()), "is a folder", 2),
        (lambda core: core.unlink(), "cannot be read (No such file or directory)", 2),
    ],
    ids=["not Python", "cut off", "other machine", "not ELF", "empty", "a program", "a folder", "missing"],
)
def test_a_file_that_is_of_no_use_is_one_sentence(
    spoil: Callable[[Path], object], said: str, code: int, tmp_path: Path
) -> None:
    core = core_of(["sleep", "600"], tmp_path, is_ready=False)
    spoil(core)
    done, document = attach("--core", core, folder=tmp_path)
    assert done.returncode == code, document
    assert said in document["error"]
    assert "Traceback" not in done.stderr


def test_options_that_do_not_go_together_are_one_sentence(tmp_path: Path) -> None:
    for words, said in (
        ((), "give either the PID of a process or --core FILE"),
        ((4711, "--core", "core"), "give either the PID of a process or --core FILE"),
        ((4711, "--python", sys.executable), "leave it out"),
        (("--core", "core", "--pause"), "a core file is one moment, so leave them out"),
        (("--core", "core", "--for", "5"), "a core file is one moment, so leave them out"),
        (("--core", "core", "--python", "nowhere"), "nowhere is not a program that can be run"),
    ):
        done, _ = attach(*words, folder=tmp_path)
        assert (done.returncode, said in done.stderr or said in done.stdout) == (2, True), (words, done.stderr)
        assert "Traceback" not in done.stderr
