"""A standard stream that is closed, full or without a reader, and an error that nobody foresaw: exit code 1 means a hang alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repro.cli import _COMMANDS
from repro.world.runs.store import FILE, read_run

SCRIPT = Path(sys.executable).with_name("repro")
LIMIT_S = 180.0
RUN = f"{SCRIPT} run known/clean --python {sys.executable} --set seconds=2 --trials 1 --jobs 1"


def shell(text: str, *, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def one_sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("kind", ["RuntimeError", "RecursionError", "MemoryError", "OSError", "AssertionError"])
@pytest.mark.parametrize("command", _COMMANDS)
def test_what_nobody_foresaw_is_one_sentence_and_a_file(command: str, kind: str, tmp_path: Path) -> None:
    planted = f"import importlib\ndef fail(name): raise {kind}('what\\never [1] \\udcff happens')\nimportlib.import_module = fail\n"
    (tmp_path / "sitecustomize.py").write_text(planted)
    said = one_sentence(shell(f"{SCRIPT} {command}", folder=tmp_path, PYTHONPATH=str(tmp_path)), 4)
    found = re.search(r"repro failed: (.*); the traceback is in (\S+), please report it", said)
    assert found is not None
    assert found[1] == ("there is not enough memory" if kind == "MemoryError" else f"{kind}: what ever [1] ? happens")
    assert f"{kind}: what" in Path(found[2]).read_text()


def test_without_enough_memory_the_exit_code_is_not_that_of_a_hang(tmp_path: Path) -> None:
    for kilobytes in (40_000, 60_000, 100_000):
        done = shell(f"ulimit -v {kilobytes}; {SCRIPT} run known/clean --python {sys.executable}", folder=tmp_path)
        assert done.returncode != 1
        if kilobytes == 100_000:  # enough for the interpreter
            assert f"limits memory to {kilobytes} kB" in one_sentence(done, 4)


@pytest.mark.parametrize("words", ["list factors", "list factors --json", "--help", "run --help", "env list --json"])
def test_a_full_device_takes_no_output_and_that_is_said(words: str, tmp_path: Path) -> None:
    said = one_sentence(shell(f"{SCRIPT} {words} > /dev/full", folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path)), 4)
    assert "the output could not be written completely (No space left on device)" in said


@pytest.mark.parametrize("words", ["list factors", "list factors --json", "--help"])
@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", "<&- >&- 2>&-", "| head -c 1"])
def test_nobody_who_reads_is_no_error(words: str, streams: str, tmp_path: Path) -> None:
    done = shell(f"{SCRIPT} {words} {streams}; exit ${{PIPESTATUS[0]}}", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])  # fmt: skip
def test_a_terminal_that_knows_ascii_alone_gets_the_output(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "naïve.toml").write_text('scenario = "grün"', "utf-8")
    said = one_sentence(shell(f"{SCRIPT} run naïve.toml", folder=tmp_path, **variables), 2)
    assert "unknown scenario" in said
    done = shell(f"{SCRIPT} --help; {SCRIPT} list factors", folder=tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert "queue_lookup" in done.stdout


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    for words in ("list runs", "run known/clean", "report", "env list", "export -o here"):
        done = shell(f"mkdir gone; cd gone; rmdir ../gone; {SCRIPT} {words}", folder=tmp_path)
        assert "the current folder no longer exists (No such file or directory); change to another" in one_sentence(
            done, 2
        )


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        f"run known/clean --out {LONG}",
        f"run known/clean --out {LONG} --resume",
        f"run known/clean --out some/{LONG}/run",
        f"run {LONG}",
        f"run {LONG}.toml",
        f"run --locustfile {LONG}.py",
        f"run --python {LONG}",
        "run known/clean --out file/run",
        f"report {LONG}",
        f"export {LONG} -o bug",
        f"export -o {LONG}",
        f"blame --good {LONG} --bad {LONG}",
        "run deep.toml",
        "blame --good deep.lock --bad deep.lock",
        "blame --good marker.lock --bad marker.lock",
    ],
    ids=lambda words: words.replace(LONG, "LONG"),
)
def test_a_name_or_a_file_that_cannot_be_used_is_the_users(words: str, tmp_path: Path, typed) -> None:
    nested = f"a = {'[' * 5000}{']' * 5000}\n"
    (tmp_path / "deep.toml").write_text(f'scenario = "known/clean"\n{nested}')
    (tmp_path / "deep.lock").write_text(f'lock-version = "1.0"\n{nested}')
    (tmp_path / "marker.lock").write_text(
        'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\nmarker = "[1]"\n'
    )
    (tmp_path / "file").write_text("")
    one_sentence(typed(*words.split(), folder=tmp_path, TMPDIR=str(tmp_path)), 2)


@pytest.mark.timed
def test_a_run_goes_on_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    """One whose readers have gone, and one without any stream under nohup, whose terminal is closed meanwhile."""
    unread = f"{RUN} --out unread 2> >(true) | head -1; exit ${{PIPESTATUS[0]}}"
    alone = f"exec nohup {RUN} --out alone <&- >&- 2>&-"
    started = [
        subprocess.Popen(["bash", "-c", text], cwd=tmp_path, stdout=subprocess.DEVNULL) for text in (unread, alone)
    ]
    deadline = time.monotonic() + LIMIT_S
    while not list(tmp_path.glob("alone/evidence/*/stderr.txt")) and time.monotonic() < deadline:
        time.sleep(0.1)
    started[1].send_signal(signal.SIGHUP)
    assert [one.wait(LIMIT_S) for one in started] == [0, 0]
    for name in ("unread", "alone"):
        stored = read_run(tmp_path / name)
        assert [cell.verdict for cell in stored.cells] == ["clean"]
        assert stored.ended is not None
        assert (tmp_path / name / FILE).read_bytes().startswith(b"SQLite format 3")


@pytest.mark.timed
def test_a_report_goes_to_what_is_not_a_file_and_leaves_links_alone(tmp_path: Path) -> None:
    made = shell(f"{RUN} --out run", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    done = shell(f"{SCRIPT} report run -o /dev/stdout | head -c 1; exit ${{PIPESTATUS[0]}}", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "#")
    (tmp_path / "link.md").symlink_to("target.md")
    assert shell(f"{SCRIPT} report run -o link.md", folder=tmp_path).returncode == 0
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "target.md").read_text().startswith("#")
    for path in ("''", ".", "no/such/folder.md", "run", LONG, "/proc/report.md", "/dev/full"):
        one_sentence(shell(f"{SCRIPT} report run -o {path}", folder=tmp_path), 2)
    assert not list(tmp_path.glob(".repro-report*"))
