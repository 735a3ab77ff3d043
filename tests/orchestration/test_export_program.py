"""The exported file of a plain program, run by its own interpreter: one that hangs, ends, fails, and works on."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repro.core.search.shrinking import Recipe, reduced
from repro.presentation.reports.reproducer import readme, reproducer
from repro.world.processes import door

RECIPE = {
    "title": 'it """ hangs',
    "python": "3.11",
    "pins": {"gevent": "26.7.0"},
    "settings": {"launch": "script"},
    "seconds": 1,
    "grace": 1,
    "stall": 2,
    "path": "perf/job.py",
    "place": "perf",
    "command": ("-u", "job.py", "it's", "{endpoint}"),
}
LOCK = "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\nprint('begun')\nlock.acquire()\n"
CALL = "import os, urllib.request\nurllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'], data=b'Action=SendMessage&MessageBody=x').read()\n"
BURNS = "def turn():\n    while True:\n        pass\nturn()\n"
PRINTS = "import time\nwhile True:\n    print('on')\n    time.sleep(0.5)\n"
SENDS = f"import time\nwhile True:\n{textwrap.indent(CALL, '    ')}    time.sleep(0.5)\n"
CHILD = f"import os\nif os.fork():\n    os.wait()\nelse:\n{textwrap.indent(LOCK, '    ')}"
HANGS = r'job.py", line %s in %s\n[\s\S]*HANG: after'
WORKS = "no hang: the program still works"
PROGRAMS = {
    "in a lock": (LOCK, 1, HANGS % (5, "<module>"), False),
    "its child in a lock": (CHILD, 1, HANGS % (9, "<module>"), False),
    "burns where the cell spun": (BURNS, 1, HANGS % ("[23]", "turn"), True),
    "ends": ("print('done')\n", 0, "no hang: the program ended by itself", False),
    "fails": ("raise SystemExit(7)\n", 2, "failed with exit code 7", False),
    "is killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", 2, "failed with exit code -9", False),
    "computes": (BURNS, 0, WORKS, False),
    "prints": (PRINTS, 0, WORKS, False),
    "prints where the cell spun": (PRINTS, 0, WORKS, True),
    "sends, and prints nothing": (SENDS, 0, WORKS, False),
    "starts others": ("import subprocess\nwhile True:\n    subprocess.run(['sleep', '0.4'])\n", 0, WORKS, False),
}
"""By what a program does: its source, the exit code, what is printed, and whether its cell spun."""
WHOLE = {
    "command": ("-m", "jobs.main"),
    "path": "perf/jobs/main.py",
    "source": "# coding: latin-1\nfrom . import parts\nimport far, os, subprocess, sys\n"
    "assert open('rows.csv', newline='').read() == parts.ROWS == 'ä\\r\\n', parts.ROWS\n"
    "assert os.environ['POOL'].startswith('http://127.0.0.1:'), os.environ['POOL']\n"
    "subprocess.run([sys.executable, 'other.py'], check=True)\n",
    "modules": {"jobs": "", "jobs.parts": "ROWS = 'ä\\r\\n'", "far": "text = ''' ' '''\n"},
    "places": {"jobs": "perf/jobs/__init__.py", "jobs.parts": "perf/jobs/parts.py", "far": "src/far.py"},
    "files": {"perf/rows.csv": "ä\r\n", "perf/other.py": "print('other')\n"},
    "variables": {"POOL": "{endpoint}/7"},
    "paths": ("src",),
}


def text_of(source: str = LOCK, **given) -> str:
    return reproducer(Recipe(**{**RECIPE, "source": source, **given}))


def hurried(text: str) -> str:
    """The file without the time for a slow start, for which a program that works on is watched, too."""
    made = re.sub(r"(?m)^START = 15 ", "START = 1 ", text)
    assert made != text
    return made


def run(text: str, folder: Path) -> door.Completed:
    folder.mkdir()
    (folder / "reproduce.py").write_text(text, "utf-8")
    return door.run([sys.executable, "reproduce.py"], cwd=folder, limit_s=300)


def text_for(name: str) -> str:
    source, _, words, is_burning = PROGRAMS[name]
    text = text_of(source, is_burning=is_burning)
    return hurried(text) if words == WORKS or is_burning else text


@pytest.mark.timed
def test_each_program_comes_to_what_it_does(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda name: run(text_for(name), tmp_path / name), PROGRAMS)
        done = dict(zip(PROGRAMS, made, strict=True))
    for name, (_, code, words, _) in PROGRAMS.items():
        found = done[name]
        assert found.returncode == code, (name, found.stdout, found.stderr)
        assert re.search(words, found.stdout), (name, found.stdout)


@pytest.mark.timed
def test_modules_data_other_programs_and_variables_are_where_they_were(tmp_path: Path) -> None:
    done = run(text_of(**WHOLE), tmp_path / "whole")
    assert (done.returncode, "ended by itself" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize("is_burning", [False, True])
@pytest.mark.parametrize(
    "source", ["x = '''a'''\n", "'''Doc.'''\n", "'a'\n", "x = '\\\\'", "# {{ 7 }} ends with \\", "x = '\f'\n", ""]
)
def test_it_is_python_and_holds_the_program_to_the_last_character(source: str, *, is_burning: bool) -> None:
    made = ast.parse(text_of(source, is_burning=is_burning))
    (held,) = [
        node.value.value
        for node in made.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FILES['perf/job.py']"
    ]
    assert held in {source, f"{source}\n"}


def test_its_reduction_tries_pins_and_variables_and_no_setting_of_a_load() -> None:
    recipe = Recipe(
        **{**RECIPE, "source": LOCK, "settings": {"launch": "script", "read_timeout": 3}, "variables": {"POOL": "7"}}
    )
    said: list[str] = []
    made = reduced(recipe, explicit=(), hangs=lambda _: True, hangs_surely=lambda _: True, say=said.append)
    assert said == ["0 pins, without gevent", "without POOL"]
    assert made.settings["launch"] == "script"


def test_its_readme_speaks_of_a_program() -> None:
    text = readme(Recipe(**{**RECIPE, "source": LOCK}), seen="hung 1 of 1", has_hung=True, command="c")
    assert "says whether the\nprogram ended" in text
    assert "Locust" not in text
