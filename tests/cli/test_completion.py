"""Completion as a shell asks for it: by click's protocol, and once in bash, zsh and fish themselves."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("repro")
LIMIT_S = 180.0
BREAKS = " \t\n\"'><=;|&(:"
HEAVY = {"numpy", "scipy", "jinja2", "pydantic", "rich", "boto3", "moto", "psutil", "gevent", "locust"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two runs, of which the older one has hung in one of its two cells, and a broken one."""
    for name, hung in (("old", True), ("new", False)):
        made = tmp_path / "repro-runs" / name / "run.sqlite"
        made.parent.mkdir(parents=True)
        cells = [{"id": "3f9c2a", "label": "client=shared"}, {"id": "77aa01", "label": "client=per-user"}]
        with sqlite3.connect(made) as connection:
            connection.execute("CREATE TABLE facts (name TEXT, value TEXT)")
            connection.execute("CREATE TABLE trials (cell_id TEXT, verdict TEXT)")
            connection.execute("INSERT INTO facts VALUES ('plan', ?)", (json.dumps({"cells": cells}),))
            connection.execute("INSERT INTO trials VALUES ('3f9c2a', ?)", ("hang" if hung else "clean",))
        connection.close()
        os.utime(made, (1, 1 if hung else 2))
    broken = tmp_path / "repro-runs" / "broken" / "run.sqlite"
    broken.parent.mkdir()
    broken.write_bytes(b"no database")
    os.utime(broken, (0, 0))
    (tmp_path / "own.toml").write_text('scenario = "locust-2637"\n[packages]\nlocust = ["2.31.8", "2.32.0"]\n')
    (tmp_path / "bad.toml").write_text("scenario = \n")
    return tmp_path


@pytest.fixture
def completed(typed, folder: Path) -> Callable[..., list[str]]:
    """``completed(line)`` is what bash puts in the place of the last piece of a line, or what another shell shows."""

    def answer(line: str, *, by: str = "bash") -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "COMP_BREAKS": BREAKS}
        done = typed(folder=folder, **words, _REPRO_COMPLETE=f"{by}_complete")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return answer


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("repro run --set sta", ["stack="]),
        ("repro run --set stack=", ["2023-02", "2024-03", "none"]),
        ("repro run --set stack=2024", ["2024-03"]),
        ("repro run --set client=shared,", ["shared,per-user", "shared,per-iteration"]),
        ("repro run --set=client=per-u", ["per-user"]),
        ("repro run --set tls=", ["false", "true"]),
        ("repro run --set locust=", ["2.14.2", "2.24.0"]),
        ("repro run own.toml --set locust=", ["2.31.8", "2.32.0"]),
        ("repro run gevent-urllib3 --set pool_s", ["pool_size="]),
        ("repro run gevent-urllib3 --set pool_size=", ["1", "10", "100"]),
        ("repro run --set limits.b", ["limits.beat_s="]),
        ("repro run --set fault=laten", ["latency"]),
        ("repro run --backend moto,m", ["moto,ministack"]),
        ("repro run --fail-on hang,cr", ["hang,crash"]),
        ("repro run locust-2637/cro", ["locust-2637/crossed"]),
        ("repro bisect url", ["urllib3"]),
        ("repro bisect urllib3 locust-2637/sing", ["locust-2637/single"]),
        ("repro report ", ["new", "old", "broken"]),
        ("repro report new --against o", ["old"]),
        ("repro export old ", ["3f9c2a"]),
        ("repro export repro-runs/old 3", ["3f9c2a"]),
        ("repro list fau", ["faults"]),
        ("repro comp", ["completion"]),
    ],
)
def test_tab_completes(line: str, offered: list[str], completed) -> None:
    assert completed(line) == [f"plain,{value}" for value in offered]


@pytest.mark.parametrize(
    "line",
    [
        "repro export broken ",
        "repro export new ",
        "repro export nosuch ",
        "repro run bad.toml --set locust=",
        "repro run --set nosuch=",
    ],
)
def test_where_nothing_can_be_read_nothing_is_offered_and_nothing_said(line: str, completed) -> None:
    assert [offer for offer in completed(line) if offer] == []


def test_zsh_and_fish_say_what_each_is(completed) -> None:
    assert completed("repro export old ", by="zsh") == ["plain", "3f9c2a", "client=shared"]
    (line,) = completed("repro run --set tcp_keep", by="zsh")[1:2]
    assert line == "tcp_keepalive="


def test_no_library_is_waited_for(folder: Path) -> None:
    code = (
        "import sys\nfrom repro.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    for line in ("repro run --set stack=", "repro export old ", "repro run loc"):
        words = {"COMP_WORDS": line, "COMP_CWORD": "3", "_REPRO_COMPLETE": "bash_complete"}
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.argv = ['repro']\n{code}"],
            cwd=folder,
            env={**os.environ, **words},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        assert done.stdout
        assert not HEAVY & set(done.stderr.split())


ASKED = {
    "bash": """
        eval "$(repro completion bash)"
        COMP_LINE="repro run --set stack=2024" COMP_POINT=26 COMP_WORDS=(repro run --set stack = 2024) COMP_CWORD=5
        _repro_completion repro 2024 =; echo "${COMPREPLY[@]}" """,
    "fish": """
        repro completion fish | source
        complete -C "repro run --set stack=2024" """,
    "zsh": """
        zmodload zsh/zpty; zpty asked zsh -f -i
        zpty -w asked 'PS1=; autoload -Uz compinit; compinit -u -D; eval "$(repro completion zsh)"; echo re""ady'
        zpty -r asked said '*ready*'
        zpty -w -n asked $'repro run --set stack=2024\\t'
        zpty -r asked said '*2024-03*'; echo $said; zpty -d asked""",
}


@pytest.mark.parametrize("shell", ASKED)
def test_the_shell_itself_completes(shell: str, folder: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    env = {**os.environ, "PATH": f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        [shell, "-c", ASKED[shell]],
        cwd=folder,
        env={**env, "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "2024-03" in done.stdout, done.stdout + done.stderr
