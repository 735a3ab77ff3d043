"""The agent that rides along in somebody's own Python: it is there by variables alone, and nothing else is different."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro.agent import layout as at
from repro.world.collecting import riding
from repro.world.collecting.flight import Fleet

LIMIT_S = 120
OWN = "repro_agent"
INNER = {"atexit", "gc"}
"""Modules that every interpreter has inside, and nobody patches."""
SHOW = (
    "import json, os, sys, _thread\n"
    "print(json.dumps({'modules': sorted(sys.modules), 'path': sys.path, 'threads': _thread._count(), "
    "'site': getattr(sys.modules.get('sitecustomize'), 'NAME', None)}))\n"
)


def run(code: str, folder: Path, *flags: str, along: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """A Python program in its own environment, with the agent or without."""
    env = {"PATH": os.defpath, **more}
    records = riding.make_records(folder)
    if along:
        env |= riding.variables(records, inherited=env)
    argv = [sys.executable, *flags, "-c", code]
    return subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def shown(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("has_one", [True, False], ids=["own sitecustomize", "none"])
def test_a_program_sees_what_it_would_see_without_the_agent(*, has_one: bool, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    if has_one:
        (site / "sitecustomize.py").write_text("import queue\nNAME = 'mine'\n")
    with_it, without = (shown(run(SHOW, tmp_path, along=along, PYTHONPATH=str(site))) for along in (True, False))
    assert set(with_it["modules"]) - set(without["modules"]) - INNER == {
        one for one in with_it["modules"] if one.startswith(OWN)
    }
    assert set(without["modules"]) <= set(with_it["modules"])
    assert with_it["path"] == without["path"]
    assert with_it["site"] == without["site"] == ("mine" if has_one else None)
    assert with_it["threads"] == without["threads"]


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_a_python_that_ignores_its_variables_runs_without_it(flag: str, tmp_path: Path) -> None:
    assert OWN not in shown(run(SHOW, tmp_path, flag))["modules"]


def test_a_sitecustomize_that_fails_fails_as_it_would(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('mine')\n")
    done = run("print('on')", tmp_path, PYTHONPATH=str(tmp_path))
    assert done.stdout == "on\n"
    assert "RuntimeError: mine" in done.stderr


CALLS = """
import os, sys
def call():
    with sys.modules["repro_agent.hooks"].operation("call"):
        pass
"""


def test_only_who_calls_a_client_has_a_record_whatever_became_of_its_environment(tmp_path: Path) -> None:
    code = CALLS + (
        "for number in range(60):\n"
        "    if os.fork() == 0:\n"
        "        os.environ.clear()\n"
        "        if number % 20 == 0: call()\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    readings = Fleet(tmp_path / "records").read()
    assert [reading.ended for reading in readings] == [1, 1, 1]
    assert all(reading.native_at == 0 for reading in readings)  # no thread of ours
    assert all(reading.load_at for reading in readings)


def test_a_record_that_cannot_be_made_leaves_the_program_as_it_is(tmp_path: Path) -> None:
    code = CALLS + "import shutil; shutil.rmtree(os.environ['REPRO_TRIAL_DIR']); call(); print('on')"
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "on\n"), done.stderr


def test_a_second_runner_is_not_told_to_stop_by_the_first_ones_quit(tmp_path: Path) -> None:
    code = (
        "import _thread, gevent, sys\n"
        "from repro_agent import flight, hearts, layout as at\n"
        "hearts.attach(object()); hearts.note_stop()\n"
        "assert flight.record.floats[at.H_STOP_AT] and flight.record.words[at.H_PHASE] == at.PHASE_STOPPING\n"
        "hearts.attach(object())\n"
        "assert _thread._count() == 0\n"
    )
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    (reading,) = Fleet(tmp_path / "records").read()
    assert (reading.stop_at, reading.phase) == (0.0, at.PHASE_READY)


def test_what_a_process_left_goes_with_it(tmp_path: Path) -> None:
    done = run(CALLS + "call(); print(os.getpid())", tmp_path)
    records = tmp_path / "records"
    assert len(list(records.iterdir())) == 1
    riding.forget(records, int(done.stdout))
    assert list(records.iterdir()) == []
