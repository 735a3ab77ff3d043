"""Stored runs as the repository keeps them: a dump in SQL, compressed, without the names of the machine it ran on."""

from __future__ import annotations

import contextlib
import gzip
import json
import platform
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "examples" / "runs"
FILE = "run.sqlite"
PRAGMAS = ("application_id", "user_version")
SYSTEM = "Linux x86_64"
LOGGED = f"] {platform.node()}/"
"""Locust's log names the machine: ``[2026-11-27 03:05:38,624] host/INFO/locust.main``."""
_OUT = re.compile(r" --out \S+")
_INTERPRETER = re.compile(r'"interpreter": "[^"]*/(?=\.?venv/bin/python)')
"""Somebody's own environment, wherever it lay."""
_EVIDENCE = re.compile(r"/[^\s\"']+/evidence/[^\s\"'/]+/(?:work/)?")
"""Where the run lay, in what a program has printed of the folder that it ran in."""


def names() -> list[str]:
    """All runs that are kept."""
    return sorted(path.name.partition(".")[0] for path in KEPT.glob("*.sql.gz"))


def keep(name: str, run: Path) -> Path:
    """Keep a run under a name; the run itself is left as it is."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / FILE
        with contextlib.closing(sqlite3.connect(run / FILE)) as whole, contextlib.closing(sqlite3.connect(copy)) as to:
            whole.backup(to)
            _scrub(to, name)
            to.execute("VACUUM")
            pragmas = [f"PRAGMA {one}={to.execute(f'PRAGMA {one}').fetchone()[0]};" for one in PRAGMAS]
            text = "\n".join([*to.iterdump(), *pragmas, ""])
    path = KEPT / f"{name}.sql.gz"
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return path


def dump_of(name: str) -> str:
    """The text of a kept run."""
    return gzip.decompress((KEPT / f"{name}.sql.gz").read_bytes()).decode()


@contextlib.contextmanager
def unpacked(name: str) -> Iterator[Path]:
    """The folder of a kept run, as any other run has one."""
    with TemporaryDirectory() as folder:
        run = Path(folder) / name
        run.mkdir()
        with contextlib.closing(sqlite3.connect(run / FILE)) as connection:
            connection.executescript(dump_of(name))
        yield run


def _scrub(connection: sqlite3.Connection, name: str) -> None:
    """Take out where the run lay and what the machine is called."""
    facts = dict(connection.execute("SELECT name, value FROM facts"))
    machine = {**json.loads(facts["machine"]), "system": SYSTEM}
    changed = {
        "run_id": name,
        "machine": json.dumps(machine),
        "command": _OUT.sub("", facts["command"]),
        "plan": _INTERPRETER.sub('"interpreter": "', facts["plan"]),
    }
    with connection:
        for fact, value in changed.items():
            connection.execute("UPDATE facts SET value = ? WHERE name = ?", (value, fact))
        connection.execute("DELETE FROM facts WHERE name = 'machines'")
        for rowid, text in connection.execute("SELECT cell_id || number, document FROM trials").fetchall():
            trial = json.loads(text)
            if trial.pop("machine", "") or LOGGED in text or _EVIDENCE.search(text):
                changed_text = _EVIDENCE.sub("", json.dumps(trial, ensure_ascii=False).replace(LOGGED, "] host/"))
                connection.execute("UPDATE trials SET document = ? WHERE cell_id || number = ?", (changed_text, rowid))
