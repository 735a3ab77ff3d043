"""Somebody's own command as it was typed, and what of it is varied: facts, of which nobody needs to parse a word again.

A cell that runs one has these variables beside its settings, and a private copy of the folder as its current one:

    REPRO_PROGRAM       ``locust``, ``file``, ``module`` or ``script``
    REPRO_TARGET        the module's name, or the path of the file or of the console script; empty for ``locust``
    REPRO_LOCUSTFILE    the value of Locust's -f; empty where Locust finds its own. For ``file`` the path of the file
    REPRO_ARGUMENTS     a JSON list of the other arguments, without those of users, rate, time, web UI and launch
    REPRO_WEB_UI        1 where the command would have a web UI and its files add to it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Program(StrEnum):
    """What kind of program a command runs."""

    LOCUST = "locust"
    FILE = "file"
    MODULE = "module"
    SCRIPT = "script"
    """A console script of a Python environment, such as pytest."""


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """A command, parsed.

    ``words`` are what was typed. ``runner`` is what stands before the program and chooses its environment, such as
    ``uv run``. ``name`` is the interpreter or the console script as it was typed, ``options`` those of the
    interpreter. ``target`` and ``arguments`` are as the cell gets them. ``levels`` are the factors that the command
    sets, by its own options and by Locust's files and variables. ``dropped`` are the words that have no effect in a
    cell, ``variables`` those that the command sets itself, ``configs`` the files of Locust's ``--config``.
    ``is_timed_by_file`` says that a file of Locust's gives a run time, which the factor stands for.
    """

    words: tuple[str, ...]
    program: Program
    name: str
    runner: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    target: str = ""
    locustfile: str = ""
    arguments: tuple[str, ...] = ()
    levels: Mapping[str, str | int | float] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    configs: tuple[str, ...] = ()
    is_headless: bool = False
    is_timed_by_file: bool = False

    @property
    def is_locust(self) -> bool:
        """Whether it is the ``locust`` command, by its name or as a module."""
        return self.program is Program.LOCUST

    @property
    def locustfiles(self) -> tuple[str, ...]:
        """The paths that Locust's -f names: files, folders, or several of them."""
        return tuple(path.strip() for path in self.locustfile.split(",") if path.strip())


@dataclass(frozen=True, kw_only=True)
class Typed:
    """Where a command was typed, as its run keeps it.

    ``place`` is the folder within the run's copy, ``locustfile`` its one locustfile from there, empty where it has
    several or none. ``configs`` are the files of Locust's ``--config``. ``variables`` are those of the shell that were
    passed on, without the values of those whose names say that they are secret.
    """

    place: str = ""
    locustfile: str = ""
    configs: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class CommandInFolder:
    """A command as all trials of a run have it.

    ``folder`` is the run's copy of the folder in which it was typed, of which every trial gets one of its own;
    ``place`` is where in it the command was typed. ``script`` is the path of a console script, within the copy a
    relative one. ``variables`` are those of the shell that are passed on. ``home`` are files for the trial's home
    folder. ``has_web_ui``: by hand it would have Locust's web UI, and its files add to it.
    """

    line: CommandLine
    folder: Path
    place: str = ""
    script: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    home: tuple[Path, ...] = ()
    has_web_ui: bool = False

    @property
    def target(self) -> str:
        """What the cell runs: a module's name, or the path of a file or of a console script."""
        return self.script or self.line.target
