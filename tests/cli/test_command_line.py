"""The command line as a shell starts it: what is wrong is one sentence on standard error, and nothing is left behind."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from repro import __version__
from repro.cli import _COMMANDS, cli, refusal

SCRIPT = Path(sys.executable).with_name("repro")
ROOT = Path(__file__).parents[2]
LIMIT_S = 180.0

NOTHING_REPEATED: dict[str, Any] = dict.fromkeys(("queues", "buckets", "tables", "redirects"), ())


def test_help_names_commands_examples_and_exit_codes(tmp_path: Path, typed) -> None:
    done = typed("--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("run ", "export ", "list ", "env ", "cleanup ", "Examples:", "Exit codes: 0 no hang, 1 a hang"):
        assert text in done.stdout
    assert typed("-h", folder=tmp_path).stdout == done.stdout


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help_with_examples(command: str, tmp_path: Path, typed) -> None:
    done = typed(command, "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"repro {command}" in done.stdout.partition("Examples:")[2]


def every_command(context: click.Context) -> Iterator[click.Context]:
    """The command of a context, and all below it."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            below = context.command.get_command(context, name)
            assert below is not None
            yield from every_command(click.Context(below, info_name=name, parent=context))


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_of_any_help_is_wider_than_the_terminal(width: int) -> None:
    root = click.Context(cli, info_name="repro", terminal_width=width, **cli.context_settings)
    helps = {context.command_path: context.get_help() for context in every_command(root)}
    assert {"repro", *(f"repro {name}" for name in _COMMANDS), "repro env prune"} <= helps.keys()
    wide = [(path, line) for path, text in helps.items() for line in text.splitlines() if len(line) > width]
    assert wide == []


def test_help_waits_for_no_library() -> None:
    code = (
        "import sys\nsys.argv = ['repro', '--help']\nfrom repro.cli import main\n"
        "try: main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=True)
    heavy = {"numpy", "scipy", "jinja2", "pydantic", "rich", "boto3", "moto", "psutil", "packaging"}
    assert not heavy & set(done.stdout.splitlines()[-1].split())


def test_a_checkout_and_a_module_are_the_same_program(tmp_path: Path) -> None:
    door = Path(__file__).parents[2] / "cli.py"
    for argv in ([sys.executable, "-m", "repro"], [sys.executable, door]):
        env = {**os.environ, "PYTHONPATH": str(door.parent)}
        done = subprocess.run(
            [*argv, "--version"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=True
        )
        assert done.stdout == f"repro, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rnu",), "Unknown command 'rnu'. Did you mean run?"),
        (("run", "--bogus"), "No such option"),
        (("run", "locust-2673"), "unknown experiment 'locust-2673'; did you mean locust-2637?"),
        (("run", "no.toml"), "unknown experiment 'no.toml'; choose one of `repro list experiments`, or give another path"),
        (("run", "bad.toml"), "bad.toml: unknown key 'trails'; did you mean trials?"),
        (("run", "--set", "usres=3"), "--set usres=3: unknown factor 'usres', did you mean users?"),
        (("run", "--set", "client=sharde"), "choose shared, per-user or per-iteration; did you mean shared?"),
        (("run", "--set", "stack=2099"), "unknown stack '2099'; choose 2023-02, 2024-03"),
        (("run", "--trials", "0"), "--trials 0: choose 1 to 10,000"),
        (("run", "pipe.toml"), "pipe.toml is not a file; give a TOML file"),
        (("run", "full.toml"), "unknown experiment 'full.toml'; choose one of `repro list experiments`, or give another path"),
        (("run", "--locustfile", "pipe.toml"), "pipe.toml is not a file; give a locustfile"),
        (("run", "--locustfile", "full"), "full is not a file; give a locustfile"),
        (("run", "large.toml"), "large.toml is larger than 1 MB, too large for an experiment file; check the path"),
        (("run", "nul.toml"), "holds a NUL, which no environment and no command line can; take it out"),
        (("run", "--endpoint-url", "http://127.0.0.1:9"), "--endpoint-url goes with --backend endpoint or aws"),
        (("run", "--region", "eu-central-1"), "--region goes with --backend aws"),
        (("run", "--profile", "mine"), "--profile goes with --backend aws"),
        (("run", "--trials", "10001"), "--trials 10001: choose 1 to 10,000"),
        (("run", ""), "[EXPERIMENT] is empty; give a value, or leave it out"),
        (("run", "--locustfile", ""), "--locustfile is empty; give a value, or leave it out"),
        (("run", "--python="), "--python is empty; give a value, or leave it out"),
        (("run", "--out", ""), "--out is empty; give a value, or leave it out"),
        (("run", "--backend", ""), "--backend is empty; give a value, or leave it out"),
        (("run", "--set", ""), "--set is empty; give a value, or leave it out"),
        (("run", "--fail-on", ""), "--fail-on is empty; give a value, or leave it out"),
        (("run", "--wait-out", "nan"), "nan is not a finite number"),
        (("run", "--wait-out", "inf"), "inf is not a finite number"),
        (("run", "--set", "limits.beat_s=nan"), "give a number above 0"),
        (("run", "--set", "limits.beat_s=true"), "give a number above 0"),
        (("run", "--set", "limits.beat_s="), "give a number above 0"),
        (("run", "--set", "limits.failing_share=2"), "give a number above 0 and at most 1"),
        (("bisect", ""), "[PACKAGE] is empty; give a value, or leave it out"),
        (("bisect", "urllib3", "--good", ""), "--good is empty; give a value, or leave it out"),
        (("bisect", "urllib3", "--confidence", "nan"), "nan is not a finite number"),
        (("blame", "--good", "", "--bad", ""), "is empty; give a value, or leave it out"),
        (("report", ""), "[RUN] is empty; give a value, or leave it out"),
        (("report", "--against", ""), "--against is empty; give a value, or leave it out"),
        (("export", "run", "", "-o", "bug"), "[CELL] is empty; give a value, or leave it out"),
        (("env", "show", ""), "KEY is empty; give a value, or leave it out"),
        (("env", "prune", "--older-than", "nan"), "nan is not a finite number"),
        (("cleanup", "--region", ""), "--region is empty; give a value, or leave it out"),
        (("run", "--wait-out", "-1"), "Invalid value for '--wait-out'"),
        (("run", "--python", "/no/such"), "--python /no/such: the interpreter does not exist; give the path of one"),
        (("run", "--python", "/bin/true"), "/bin/true is not a working Python interpreter; give the path of one"),
        (("run", "--python", sys.executable, "--set", "locust=2.24.0"), "--set locust=…: --python runs an environment"),
        (("run", "--fail-on", "nonsense"), "--fail-on nonsense: unknown verdict; choose hang, crash, failing, untestable, inconclusive"),
        (("run", "--out", "full"), "--out full: it already exists; add --resume to continue that run"),
        (("run", "--locustfile", "no.py"), "the locustfile no.py does not exist; check the path"),
        (("run", "--backend", "mot"), "backend cannot be 'mot'; choose moto, ministack, endpoint or aws"),
        (("run", "--backend", "endpoint"), "--backend endpoint needs --endpoint-url URL"),
        (("run", "--backend", "endpoint", "--endpoint-url", "here"), "--endpoint-url here: this is not a URL; give one"),
        (("run", "--backend", "aws", "--yes"), "--backend aws needs --region REGION, such as --region eu-central-1"),
        (("run", "--backend", "aws", "--region", "eu-central-1"), "this needs a confirmation, and this is not a terminal; add --yes"),
        (("run", "--max-requests", "5"), "--max-requests goes with --backend aws"),
        (("export", "-o", "full"), "-o full: the folder is not empty; choose another"),
        (("env", "prune"), "nothing to delete was given; add --older-than DAYS, or --all"),
        (("env", "show", "zzz"), "no environment has a key that begins with 'zzz'; `repro env list` shows them"),
        (("cleanup",), "Missing option '--region'"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_what_cannot_be_used_is_one_sentence_on_standard_error(
    words: tuple[str, ...], said: str, tmp_path: Path, typed
) -> None:
    (tmp_path / "bad.toml").write_text('scenario = "known/clean"\ntrails = 3')
    (tmp_path / "nul.toml").write_text('scenario = "known/clean"\n[env]\nA = "x\\u0000y"')
    (tmp_path / "large.toml").write_text("#" * 1_000_001)
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("")
    done = typed(*words, folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (2, "")
    *before, last = done.stderr.strip().splitlines()
    assert last.startswith("Error: ")
    assert said in last
    assert not [line for line in before if "Error" in line or "Traceback" in line]
    assert {path.name for path in tmp_path.iterdir()} <= {
        "bad.toml",
        "nul.toml",
        "large.toml",
        "pipe.toml",
        "full",
        "cache",
    }


def test_the_command_of_a_cell_says_each_thing_once() -> None:
    from repro.cli.options.cells import RunOptions, command_of
    from repro.orchestration.preparation import RunRequest, prepare

    given = dict.fromkeys(RunOptions.__dataclass_fields__) | NOTHING_REPEATED
    sets = ("users=3,4", "URLLIB3=2.2.1", "packages.grpcio=", "env.A=x y", "limits.beat_s=2")
    options = RunOptions(**{**given, "experiment": "known/clean", "overrides": sets, "backend": "moto", "locustfile": Path("my file.py")})  # type: ignore[arg-type]  # fmt: skip
    plan = prepare(RunRequest(experiment="known/clean", overrides=sets)).plan
    assert [command_of(cell, options, varied=plan.varied) for cell in plan.cells] == [
        f"repro run known/clean --set URLLIB3=2.2.1 --set packages.grpcio= --set 'env.A=x y' --set limits.beat_s=2 "
        f"--set users={users} --locustfile 'my file.py' --backend moto"
        for users in (3, 4)
    ]


@pytest.mark.parametrize(
    ("experiment", "sets", "most"),
    [
        ("known/clean", (), 0),
        ("locust-2637/single", ("urllib3=2.2.1", "urllib3=1.26.15"), 1),
        ("locust-2637", ("users=7", "launch=cli"), 7),
        ("locust-2637/crossed", (), 3),
    ],
)
def test_the_command_of_a_cell_is_short_and_gives_that_cell_alone(
    experiment: str, sets: tuple[str, ...], most: int
) -> None:
    from repro.cli.options.cells import RunOptions, command_of
    from repro.orchestration.preparation import RunRequest, prepare

    given = dict.fromkeys(RunOptions.__dataclass_fields__) | NOTHING_REPEATED
    options = RunOptions(**{**given, "experiment": experiment, "overrides": sets})  # type: ignore[arg-type]
    plan = prepare(RunRequest(experiment=experiment, overrides=sets)).plan
    for cell in plan.cells:
        words = shlex.split(command_of(cell, options, varied=plan.varied))
        assert words[:3] == ["repro", "run", experiment]
        typed = words[4::2]
        assert len(typed) <= most
        again = prepare(RunRequest(experiment=experiment, overrides=typed)).plan.cells
        assert [one.id for one in again] == [cell.id]


def test_a_run_that_is_not_there_is_a_name_that_cannot_be_used(tmp_path: Path, typed) -> None:
    for words in (
        ("export", "-o", "bug"),
        ("report",),
        ("report", "nothing"),
        ("run", "--resume"),
        ("run", "--resume", "--out", "nothing"),
    ):
        done = typed(*words, folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Error: ")
        assert re.search("no run|not a run", done.stderr)
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("what", ["scenarios", "experiments", "factors", "runs"])
def test_lists_are_tables_or_one_json_document(what: str, tmp_path: Path, typed) -> None:
    done = typed("list", what, "--json", folder=tmp_path)
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert bool(rows) is (what != "runs")
    plain = typed("list", what, folder=tmp_path)
    assert plain.returncode == 0
    assert "\x1b" not in plain.stdout
    for row in rows:
        assert str(next(iter(row.values()))) in plain.stdout


def test_the_list_of_runs_fits_a_terminal(tmp_path: Path, typed) -> None:
    """At 80 columns each run keeps the name that it is called by, and no number is broken."""
    stored = gzip.decompress((ROOT / "docs" / "examples" / "runs" / "locust-2637.sql.gz").read_bytes()).decode()
    names = {f"20261127-062006-{name}-12345" for name in ("locust-2637", "bisect-gevent", "single")}
    for name in names:
        (tmp_path / "repro-runs" / name).mkdir(parents=True)
        with closing(sqlite3.connect(tmp_path / "repro-runs" / name / "run.sqlite")) as connection:
            connection.executescript(stored)
    head, *lines = typed("list", "runs", folder=tmp_path, COLUMNS="80").stdout.splitlines()
    assert head.split() == ["run", "experiment", "cells", "trials", "hangs", "finished"]
    assert {line.split()[0] for line in lines} == names
    assert {tuple(line.split()[1:]) for line in lines} == {("locust-2637", "12", "29", "4", "yes")}
    assert max(map(len, lines)) <= 80


def test_a_platform_without_what_it_watches_by_is_told_at_once() -> None:
    assert [refusal(name) for name in ("linux", "darwin")] == ["", ""]
    assert refusal("win32").endswith("not on win32; use WSL or a container")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {SCRIPT} list factors --json | head -c 1; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_knows_experiments_and_its_script(tmp_path: Path, typed) -> None:
    done = typed(folder=tmp_path, _REPRO_COMPLETE="bash_source")
    assert "_repro_completion()" in done.stdout
    words = {"COMP_WORDS": "repro run known/cl", "COMP_CWORD": "2", "_REPRO_COMPLETE": "bash_complete"}
    assert typed(folder=tmp_path, **words).stdout == "plain,known/clean\n"


def test_environments_are_listed_even_when_there_are_none(tmp_path: Path, typed) -> None:
    done = typed("env", "list", folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "No environment is cached" in done.stderr
    listed = typed("env", "list", "--json", folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache"))
    assert json.loads(listed.stdout) == []
