"""The agent must not change what is loaded when Locust patches: that decides what gets patched, and is under test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import repro

BOOT = Path(repro.__file__).parent / "agent" / "boot.py"
FORBIDDEN = {"threading", "socket", "ssl", "queue", "select", "subprocess"}

# Notes what is loaded at the moment at which something patches, and ends the program there.
SITE = """
import os, sys

def note(*args, **kwargs):
    with open(os.environ["LOADED_AT_PATCH"], "w") as file:
        file.write("\\n".join(sorted(sys.modules)))
    os._exit(0)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "gevent.monkey":
            return None
        sys.meta_path.remove(self)
        finders = [finder.find_spec for finder in sys.meta_path]
        spec = next(found for found in (find(name, path, target) for find in finders) if found)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            module.patch_all = note
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


def loaded_at_patch(argv: list[str], folder: Path, **variables: str) -> set[str]:
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    note = folder / "loaded.txt"
    note.unlink(missing_ok=True)
    environment = {"PATH": os.defpath, "PYTHONPATH": str(folder / "site"), "LOADED_AT_PATCH": str(note), **variables}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return set(note.read_text().split("\n"))


@pytest.fixture
def locustfile(tmp_path: Path) -> Path:
    path = tmp_path / "locustfile.py"
    path.write_text("import locust\n")
    return path


def agent_run(locustfile: Path, launch: str, folder: Path) -> set[str]:
    settings = {
        "REPRO_LOCUSTFILE": str(locustfile),
        "REPRO_TRIAL_DIR": str(folder),
        "REPRO_STACKS_SIGNAL": "12",
        "REPRO_LAUNCH": launch,
    }
    return loaded_at_patch([sys.executable, str(BOOT)], folder, **settings)


def test_the_command_loads_the_same_with_and_without_the_agent(locustfile: Path, tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "locust"
    without = loaded_at_patch([sys.executable, str(command), "-f", str(locustfile)], tmp_path)
    with_agent = agent_run(locustfile, "cli", tmp_path)
    own = {name for name in with_agent if name.partition(".")[0] == "repro_agent"}
    assert with_agent - own == without
    assert own


def test_a_program_loads_the_same_with_and_without_the_agent(locustfile: Path, tmp_path: Path) -> None:
    without = loaded_at_patch([sys.executable, str(locustfile)], tmp_path)
    with_agent = {name for name in agent_run(locustfile, "library", tmp_path) if not name.startswith("repro_agent")}
    assert with_agent - {"locustfile"} == without


def test_the_agent_alone_loads_none_of_what_gets_patched(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys, os; names = sorted(sys.modules); import json; print(json.dumps(names))\n")
    settings = {
        "PATH": os.defpath,
        "REPRO_LOCUSTFILE": str(script),
        "REPRO_TRIAL_DIR": str(tmp_path),
        "REPRO_STACKS_SIGNAL": "12",
        "REPRO_LAUNCH": "script",
    }
    argv = [sys.executable, "-S", str(BOOT)]
    done = subprocess.run(argv, env=settings, capture_output=True, text=True, timeout=60, check=True)
    assert not FORBIDDEN & set(json.loads(done.stdout))
