"""Going on with a run: only as long as all that it is made of is as it was, whatever its files are encoded in."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from repro.cli.export import _load
from repro.core.scrubbing.source import redact_source
from repro.world.runs.kept.locustfile import FOLDER
from repro.world.runs.store import FILE, read_run

pytestmark = pytest.mark.timed

LOCUSTFILE = """# -*- coding: latin-1 -*-
import os
import boto3
from locust import User, task
import one
from parts.of import two
NAME = "gr\xfcn"
assert len(NAME) == 4 and one.NAME == "\\u017elut\\xfd"
class Reader(User):
    @task
    def read(self):
        boto3.resource("sqs").get_queue_by_name(QueueName=os.environ["REPRO_QUEUE"])
"""
EXPERIMENT = """\ufeffscenario = "mine.py"\r
trials = 1\r
[settings]\r
seconds = 2\r
users = 2\r
"""
ARGV = ("run", "my.toml", "--python", sys.executable, "--jobs", "1")


@pytest.fixture(scope="module")
def repro(typed) -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda *words, folder: typed(*words, folder=folder, TMPDIR=str(folder), COLUMNS="80")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repro) -> Path:
    """A folder with a run of a locustfile in Latin-1, a module with a byte-order mark, a package, and a TOML with both."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_bytes(LOCUSTFILE.encode("latin-1"))
    (folder / "one.py").write_bytes('\ufeffNAME = "\u017elut\xfd"\r\n'.encode())
    (folder / "parts").mkdir()
    (folder / "parts" / "__init__.py").write_text("")
    (folder / "parts" / "of.py").write_text("two = 2\n")
    (folder / "my.toml").write_bytes(EXPERIMENT.encode())
    done = repro(*ARGV, "--out", "a run", folder=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


def test_a_run_that_is_as_it_was_goes_on(made: Path, repro) -> None:
    done = repro(*ARGV, "--out", "a run", "--resume", folder=made)
    assert done.returncode == 0, done.stderr
    assert "Note: " not in done.stderr
    assert [len(cell.trials) for cell in read_run(made / "a run").cells] == [1]


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("mine.py", "locustfile mine.py"),
        ("one.py", "module one.py"),
        ("parts/of.py", "module parts/of.py"),
        ("parts/__init__.py", "module parts/__init__.py"),
        ("my.toml", "experiment file my.toml"),
    ],
)
def test_what_has_changed_is_named_with_the_command_to_begin_anew(made: Path, name: str, called: str, repro) -> None:
    path = made / name
    before = path.read_bytes()
    path.write_bytes(before + b"# \xe9\n" if name.endswith("mine.py") else before + b"# more\n")
    try:
        done = repro(*ARGV, "--out", "a run", "--resume", "--trials", "2", folder=made)
    finally:
        path.write_bytes(before)
    assert (done.returncode, done.stdout) == (2, "")
    anew = shlex.join(["repro", *ARGV, "--trials", "2"])
    assert done.stderr == (
        f"Error: --resume: not as when the run in a run was made: {called}; two loads do not make one rate, so start a new run with: {anew}\n"
    )
    assert [len(cell.trials) for cell in read_run(made / "a run").cells] == [1]


def test_a_module_that_is_new_or_gone_counts(made: Path, repro) -> None:
    (made / "one.py").rename(made / "gone")
    try:
        done = repro(*ARGV, "--out", "a run", "--resume", folder=made)
    finally:
        (made / "gone").rename(made / "one.py")
    assert done.returncode == 2
    assert "was made: module one.py; two" in done.stderr


def test_a_run_that_kept_no_digests_goes_on_with_a_note(made: Path, repro) -> None:
    with closing(sqlite3.connect(made / "a run" / FILE)) as connection, connection:
        (kept,) = connection.execute("SELECT value FROM facts WHERE name = 'inputs'").fetchone()
        connection.execute("DELETE FROM facts WHERE name = 'inputs'")
    done = repro(*ARGV, "--out", "a run", "--resume", folder=made)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(
        "Note: the run in a run was made by an earlier repro, which did not keep what its files"
    )
    with closing(sqlite3.connect(made / "a run" / FILE)) as connection, connection:
        connection.execute("INSERT INTO facts VALUES ('inputs', ?)", (kept,))
    assert set(json.loads(kept)) >= {"locustfile mine.py", "module one.py", "experiment file my.toml"}


def test_what_is_not_utf8_is_kept_as_it_is_and_can_be_exported(made: Path) -> None:
    kept = made / "a run" / FOLDER
    assert (kept / "locustfile.py").read_bytes() == LOCUSTFILE.encode("latin-1")
    assert (kept / "one.py").read_bytes().startswith(b"\xef\xbb\xbf")
    run = read_run(made / "a run")
    load = _load(run, run.cells[0].cell)
    assert load is not None
    assert 'NAME = "gr\xfcn"' in redact_source(load.source, lambda text: text)
    assert load.modules["one"] == 'NAME = "\u017elut\xfd"\n'


def test_a_run_that_cannot_be_read_is_listed_and_never_passed_over_in_silence(made: Path, repro) -> None:
    runs = made / "repro-runs"
    for name in ("older", "newer"):
        shutil.copytree(made / "a run", runs / name)
    with closing(sqlite3.connect(runs / "newer" / FILE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    listed = json.loads(repro("list", "runs", "--json", folder=made).stdout)
    assert [(row["run"], bool(row["problem"])) for row in listed] == [
        ("repro-runs/newer", True),
        ("repro-runs/older", False),
    ]
    assert "upgrade repro to read it" in repro("list", "runs", folder=made).stdout
    for words in (("report",), ("export", "-o", "bug"), (*ARGV, "--resume")):
        done = repro(*words, folder=made)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.startswith("Error: the latest run cannot be read: repro-runs/newer")
        assert done.stderr.endswith("name it: repro-runs/older\n")
    assert repro("report", "repro-runs/older", folder=made).returncode == 0


def test_the_next_step_can_be_pasted(made: Path, repro) -> None:
    said = repro(*ARGV, "--out", "a run", "--resume", folder=made).stdout
    step = re.search(r"^Next: +(.*)$", said, re.MULTILINE)
    assert step is not None
    assert step[1] == "repro report 'a run' --format html -o report.html"
    assert repro(*shlex.split(step[1])[1:], folder=made).returncode == 0
    assert (made / "report.html").is_file()
