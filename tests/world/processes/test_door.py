"""Real children: the whole tree is seen and ended, and the warden ends what a killed program left."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from repro.errors import ProcessError
from repro.world.processes import door, marks

LIMIT_S = 60.0
GRANDCHILD = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""

HIDDEN = """
import os, sys, time
def hide(note):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(note + ".new", "w").write(str(os.getpid()))
            os.rename(note + ".new", note)
            os.chdir("/")
            os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"], {})
        os._exit(0)
    os.wait()
hide(sys.argv[1])
time.sleep(float(sys.argv[2]))
"""
"""Leaves a process that has forked twice, left the session and emptied its environment; then ends, or sleeps."""


def await_text(path: Path) -> str:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was never written")


def await_gone(pid: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still runs")


def start(code: str, *args: str, folder: Path, mark: str) -> door.Child:
    output = door.Output(folder / "stdout.txt", folder / "stderr.txt")
    argv = [sys.executable, "-c", code, *args]
    return door.start(argv, env=dict(os.environ), cwd=folder, output=output, mark=mark)


def test_end_takes_a_grandchild_that_left_the_session_and_ignores_sigterm(tmp_path: Path) -> None:
    child = start(GRANDCHILD, str(tmp_path / "pid"), folder=tmp_path, mark="tree/1")
    grandchild = int(await_text(tmp_path / "pid"))
    assert {child.pid, grandchild} <= set(child.tree())
    child.end(grace_s=0.1)
    await_gone(grandchild)
    assert child.returncode == -signal.SIGKILL
    assert child.tree() == ()


def test_end_finds_the_grandchild_of_a_leader_that_is_gone(tmp_path: Path) -> None:
    code = GRANDCHILD.replace("\ntime.sleep(600)\n", "\n")
    child = start(code, str(tmp_path / "pid"), folder=tmp_path, mark="tree/2")
    grandchild = int(await_text(tmp_path / "pid"))
    assert child.wait(LIMIT_S) == 0
    assert child.tree() == (grandchild,)
    child.end()
    await_gone(grandchild)


def test_marks_are_paths_and_end_only_what_lies_below(tmp_path: Path) -> None:
    children = {}
    for mark in ("a/1", "a/10", "b/1"):
        folder = tmp_path / mark
        folder.mkdir(parents=True)
        children[mark] = start("import time; time.sleep(600)", folder=folder, mark=mark)
    try:
        assert door.end_marked("a/1") == 1
        assert children["a/10"].poll() is None
        assert door.end_marked("a") == 1
        assert children["b/1"].poll() is None
    finally:
        for child in children.values():
            child.end()


def test_run_gives_both_outputs_and_the_exit_code() -> None:
    done = door.run(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], limit_s=LIMIT_S
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_run_ends_what_takes_too_long_and_says_so() -> None:
    with pytest.raises(ProcessError, match=r"took longer than 0\.5 s and was ended"):
        door.run([sys.executable, "-c", "import time; time.sleep(600)"], limit_s=0.5, mark="slow")
    assert marks.marked(f"{door._PROGRAM}/slow") == []


def test_a_program_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"cannot start /no/such: No such file or directory; check"):
        door.run(["/no/such"], limit_s=1)
    with pytest.raises(ProcessError, match="cannot start"):
        door.start(["/no/such"], env={}, cwd=tmp_path, output=door.Output(tmp_path / "o", tmp_path / "e"), mark="x")


@pytest.mark.parametrize(
    "code", [GRANDCHILD, pytest.param(HIDDEN, marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc"))]
)
def test_kill_minus_9_of_the_program_leaves_no_process_and_no_folder(code: str, tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from repro.world.processes import door
        folder, grandchild, code = map(str, sys.argv[1:])
        with door.warded(Path(folder)):
            output = door.Output(Path(folder) / "o", Path(folder) / "e")
            argv = [sys.executable, "-c", code, grandchild, "600"]
            door.start(argv, env=dict(os.environ), cwd=Path(folder), output=output, mark="r/1")
            time.sleep(600)
    """)
    folder = tmp_path / "scratch"
    folder.mkdir()
    victim = subprocess.Popen([sys.executable, "-c", program, str(folder), str(tmp_path / "pid"), code])
    grandchild = int(await_text(tmp_path / "pid"))
    time.sleep(1.0)  # for the warden to have seen it
    victim.kill()
    victim.wait(LIMIT_S)
    await_gone(grandchild)
    deadline = time.monotonic() + LIMIT_S
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not folder.exists()


def await_child(pid: int) -> None:
    """Until the orphan has been handed to this program."""
    deadline = time.monotonic() + LIMIT_S
    while psutil.Process(pid).ppid() != os.getpid():
        assert time.monotonic() < deadline
        time.sleep(0.02)


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands over orphans")


@linux_only
@pytest.mark.parametrize("sleeps_s", ["600", "0"])
def test_end_takes_an_orphan_that_left_session_and_environment(sleeps_s: str, tmp_path: Path) -> None:
    child = start(HIDDEN, str(tmp_path / "pid"), sleeps_s, folder=tmp_path, mark="trial-a/1")
    orphan = int(await_text(tmp_path / "pid"))
    await_child(orphan)
    if sleeps_s == "0":
        assert child.wait(LIMIT_S) == 0
    assert orphan in child.tree()
    child.end()
    await_gone(orphan)
    assert not psutil.pid_exists(orphan)  # waited for, too


@linux_only
def test_an_orphan_goes_with_its_own_trial_when_several_run(tmp_path: Path) -> None:
    children, hidden = {}, {}
    for name in ("trial-a", "trial-b"):
        folder = tmp_path / name
        folder.mkdir()
        children[name] = start(HIDDEN, str(folder / "pid"), "600", folder=folder, mark=name)
        hidden[name] = int(await_text(folder / "pid"))
        await_child(hidden[name])
    try:
        children["trial-a"].end()
        await_gone(hidden["trial-a"])
        assert psutil.pid_exists(hidden["trial-b"])
    finally:
        children["trial-b"].end()
    await_gone(hidden["trial-b"])


@linux_only
def test_what_nobody_can_be_found_for_ends_with_the_last(tmp_path: Path) -> None:
    """It has closed its files, too: while another trial runs, nobody knows whose it is."""
    code = HIDDEN.replace('os.chdir("/")', 'os.chdir("/"); os.closerange(0, 100)')
    first = start(code, str(tmp_path / "pid"), "600", folder=tmp_path, mark="trial-a")
    orphan = int(await_text(tmp_path / "pid"))
    await_child(orphan)
    (tmp_path / "b").mkdir()
    second = start("import time; time.sleep(600)", folder=tmp_path / "b", mark="trial-b")
    first.end()
    assert psutil.pid_exists(orphan)
    second.end()
    door.end_all()
    await_gone(orphan)


@linux_only
def test_orphans_that_have_ended_are_waited_for(tmp_path: Path) -> None:
    code = HIDDEN.replace("time.sleep(600)", "pass").replace(
        "hide(sys.argv[1])", "for _ in range(30): hide(sys.argv[1])"
    )
    before = {process.pid for process in psutil.Process().children()}
    child = start(code, str(tmp_path / "pid"), "600", folder=tmp_path, mark="trial-a")
    try:
        await_text(tmp_path / "pid")
        deadline = time.monotonic() + LIMIT_S
        while child.poll() is None and {process.pid for process in psutil.Process().children()} - before != {child.pid}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert child.returncode is None
    finally:
        child.end()


def test_exit_codes_are_those_of_the_process_whatever_else_is_waited_for(tmp_path: Path) -> None:
    """Many that end at once, while others look for orphans: none may be taken for one."""
    children = [start(f"raise SystemExit({n})", folder=tmp_path, mark=f"trial-{n}") for n in range(20)]
    deadline = time.monotonic() + LIMIT_S
    while any(child.poll() is None for child in children):
        assert time.monotonic() < deadline
    assert [child.returncode for child in children] == list(range(20))
    for child in children:
        child.end()
