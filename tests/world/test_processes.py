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
from repro.world import marks, processes

LIMIT_S = 20.0
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


def start(code: str, *args: str, folder: Path, mark: str) -> processes.Child:
    output = processes.Output(folder / "stdout.txt", folder / "stderr.txt")
    argv = [sys.executable, "-c", code, *args]
    return processes.start(argv, env=dict(os.environ), cwd=folder, output=output, mark=mark)


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
        assert processes.end_marked("a/1") == 1
        assert children["a/10"].poll() is None
        assert processes.end_marked("a") == 1
        assert children["b/1"].poll() is None
    finally:
        for child in children.values():
            child.end()


def test_run_gives_both_outputs_and_the_exit_code() -> None:
    done = processes.run(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], limit_s=LIMIT_S
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_run_ends_what_takes_too_long_and_says_so() -> None:
    with pytest.raises(ProcessError, match=r"took longer than 0\.5 s and was ended"):
        processes.run([sys.executable, "-c", "import time; time.sleep(600)"], limit_s=0.5, mark="slow")
    assert marks.marked(f"{processes.program_mark()}/slow") == []


def test_a_program_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"cannot start /no/such: No such file or directory; check"):
        processes.run(["/no/such"], limit_s=1)
    with pytest.raises(ProcessError, match="cannot start"):
        processes.start(
            ["/no/such"], env={}, cwd=tmp_path, output=processes.Output(tmp_path / "o", tmp_path / "e"), mark="x"
        )


def test_kill_minus_9_of_the_program_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from repro.world import processes
        folder, grandchild, code = map(str, sys.argv[1:])
        with processes.warded(Path(folder)):
            output = processes.Output(Path(folder) / "o", Path(folder) / "e")
            argv = [sys.executable, "-c", code, grandchild]
            processes.start(argv, env=dict(os.environ), cwd=Path(folder), output=output, mark="r/1")
            time.sleep(600)
    """)
    folder = tmp_path / "scratch"
    folder.mkdir()
    victim = subprocess.Popen([sys.executable, "-c", program, str(folder), str(tmp_path / "pid"), GRANDCHILD])
    grandchild = int(await_text(tmp_path / "pid"))
    victim.kill()
    victim.wait(LIMIT_S)
    await_gone(grandchild)
    deadline = time.monotonic() + LIMIT_S
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not folder.exists()
