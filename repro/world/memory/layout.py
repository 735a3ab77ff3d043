"""Where the fields of one interpreter's objects lie, and how that is learned."""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from repro.errors import ProcessError
from repro.world.memory.source.target import Target
from repro.world.processes import door

PROBE = Path(__file__).parents[2] / "probe"
MODULES = ("base", "objects", "calls", "waits", "main")
BOOT = """
import json, sys, types
for name, text in json.loads(sys.argv.pop(1)):
    module = sys.modules["repro_probe." + name] = types.ModuleType("repro_probe." + name)
    exec(compile(text, "repro_probe/%s.py" % name, "exec"), module.__dict__)
sys.modules["repro_probe.main"].run()
"""
"""Makes the probe's modules of their texts: a process in a container has no path to this program's files."""
LEARN_LIMIT_S = 10.0
UNCLEAR = 3
"""The probe's exit code for a field that it could not place."""
Key = tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True)
class Layout:
    """What the probe said: releases, offsets in bytes by the field's name, types by distance from ``_PyRuntime``.

    ``problem`` says why it is not known what greenlets wait for; "" when it is.
    """

    python: tuple[int, int, int]
    greenlet: str
    gevent: str
    problem: str
    is_free_threaded: bool
    types: Mapping[str, int]
    fields: Mapping[str, Any]

    def __getitem__(self, field: str) -> int:
        return int(self.fields[field])

    def has(self, field: str) -> bool:
        """Whether this interpreter, with this greenlet, has such a field."""
        return field in self.fields

    @property
    def has_frame_objects(self) -> bool:
        """Whether frames are objects (up to 3.10), and not the interpreter's own records."""
        return "f_back" in self.fields

    @property
    def has_parts(self) -> bool:
        """Whether a greenlet's state lies apart from its object, as from greenlet 2 on."""
        return int(self.fields.get("g_part", -1)) >= 0

    @cached_property
    def str_kinds(self) -> Mapping[int, tuple[int, int]]:
        """By the state of a text: the bytes of a character, and where the characters begin."""
        return {state: (width, start) for state, width, start in self.fields["str_kinds"]}


_locks: defaultdict[Key, threading.Lock] = defaultdict(threading.Lock)
_known: dict[Key, Layout] = {}


def learn(target: Target, extension: str = "", packages: str = "", *, libraries: Sequence[str] = ()) -> Layout:
    """The layout of a process's interpreter with its greenlet; takes a second of a process of its own, once.

    Another process of the same interpreter with the same greenlet and gevent, by their files, has the same layout.
    ``extension`` is greenlet's file and ``packages`` the folder from which gevent is imported, both as the process
    calls them; "" where it has none. ``libraries`` are folders in which the interpreter's own shared libraries lie.

    Raises:
        ProcessError: the interpreter does not run here, or a field cannot be placed.
    """
    key = _key(target, extension, packages, libraries)
    with _locks[key]:
        if key not in _known:
            _known[key] = _learn(target, extension, packages, libraries)
        return _known[key]


def _key(target: Target, extension: str, packages: str, libraries: Sequence[str]) -> Key:
    """What decides on a layout: the files, each by its place on the disk and by when it was last changed."""
    paths = [target.executable, *libraries, *([extension] if extension else [])]
    gevent = [f"{packages}/gevent", f"{packages}/gevent/__init__.py"] if packages else []
    return tuple((path, *_identity(target.file_of(path))) for path in (*paths, *gevent))


def _identity(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:  # it is gone, or may not be seen: the name alone has to do
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _learn(target: Target, extension: str, packages: str, libraries: Sequence[str]) -> Layout:
    env = {"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {}
    modules = json.dumps([(name, (PROBE / f"{name}.py").read_text("utf-8")) for name in MODULES])
    words = ["-I", "-S", "-B", "-c", BOOT, modules, *filter(None, (extension, packages))]
    argv, user = target.command(*words)
    executable = target.executable
    done = door.run(argv, limit_s=LEARN_LIMIT_S, user=user, env=env)
    if done.returncode == UNCLEAR:
        raise ProcessError(f"the layout of {executable} is not clear: {done.stderr.strip()}")
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ProcessError(f"{executable} does not run here ({said[0]})")
    return _layout(json.loads(done.stdout))


def _layout(answer: Mapping[str, Any]) -> Layout:
    major, minor, micro = answer["python"]
    return Layout(
        python=(major, minor, micro),
        greenlet=answer["greenlet"],
        gevent=answer["gevent"],
        problem=answer["problem"],
        is_free_threaded=answer["is_free_threaded"],
        types=answer["types"],
        fields=answer["fields"],
    )
