"""The scenarios and experiments: where they lie, which there are, and what ``[EXPERIMENT]`` on the command line means.

<scenarios>/<name>/scenario.toml      summary, requires, [factors.NAME] of its own, [expected] of a planted truth
<scenarios>/<name>/locustfile.py
<scenarios>/<name>/experiment.toml    the experiment `<name>`
<scenarios>/<name>/<other>.toml       the experiment `<name>/<other>`
<scenarios>/known/                    the planted truths, which are all in one table (`repro.world.shipped.truths`)
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.core.experiment.experiment import ScenarioInfo
from repro.core.experiment.factors.catalogue import COMMON, Catalogue
from repro.core.experiment.factors.factor import Factor, LevelType, Reader
from repro.core.experiment.factors.level_text import variable
from repro.core.experiment.file import scenario_of
from repro.errors import ExperimentError, UsageError
from repro.world.runs.kept.locustfile import digest, digests, python_text
from repro.world.shipped.names import DESCRIPTION, MAIN, list_experiments, list_scenarios, root
from repro.world.shipped.truths import Truth, experiments_of, read_truths, table

MOST_LOCUSTFILE_BYTES = 10_000_000
MOST_BYTES = 1_000_000
_MADE_NAME = re.compile(r"REPRO_(?![A-Z])")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A scenario's load and what an experiment must know of it.

    ``description`` is the file of ours that says so; ``expected`` is what a planted truth must come to.
    """

    info: ScenarioInfo
    locustfile: Path
    expected: Mapping[str, Any]
    description: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """An experiment's file: its name, its path for errors, its text."""

    name: str
    path: Path
    text: str


def find_experiment(name: str) -> Source:
    """The experiment of this name, or in the TOML file of this path.

    Raises:
        UsageError: there is none; says what was probably meant.
    """
    if name in experiments_of(root()):
        return Source(name=name, path=table(root()), text=experiments_of(root())[name])
    # A pipe is not a file: whoever reads one may wait for ever.
    candidates = [Path(name)] if name.endswith(".toml") else [root() / name / MAIN, root() / f"{name}.toml"]
    for path in candidates:
        if path.is_file() and path.name != DESCRIPTION and path != table(root()):
            return Source(name=name, path=path, text=_text(path))
    if name.endswith(".toml") and candidates[0].exists():
        raise UsageError(f"{name} is not a file; give a TOML file, or a name of `repro list experiments`")
    known = list_experiments()
    near = difflib.get_close_matches(name, known, n=1)
    other = "give another path" if name.endswith(".toml") else "give the path of a TOML file"
    hint = f"did you mean {near[0]}?" if near else f"choose one of `repro list experiments`, or {other}"
    raise UsageError(f"unknown experiment {name!r}; {hint}")


def scenario_for(source: Source) -> Scenario:
    """The scenario that an experiment's file names: one of ours, or the path of a locustfile relative to the file."""
    name = scenario_of(source.text, source=str(source.path))
    path = source.path.parent / name
    if name.endswith(".py"):
        if not path.is_file():
            raise ExperimentError(
                f"{source.path}: scenario: the file {path} does not exist; give a name of `repro list scenarios` or a "
                "locustfile"
            )
        return of_locustfile(path)
    return named(name, where=f"{source.path}: scenario")


def named(name: str, *, where: str) -> Scenario:
    """The scenario of this name.

    Raises:
        ExperimentError: there is none.
    """
    if truth := read_truths(root()).get(name):
        return _planted(truth)
    folder = root() / name
    if not (folder / DESCRIPTION).is_file():
        near = difflib.get_close_matches(name, list_scenarios(), n=1)
        hint = f"did you mean {near[0]}?" if near else "`repro list scenarios` shows all"
        raise ExperimentError(f"{where}: unknown scenario {name!r}; {hint}")
    data = tomllib.loads(_text(folder / DESCRIPTION))
    own = _catalogue(data.get("factors", {}))
    info = ScenarioInfo(name=name, requires=tuple(data["requires"]), catalogue=own, summary=data["summary"])
    load = (folder / "locustfile.py").resolve()
    return Scenario(info=info, locustfile=load, expected={}, description=folder / DESCRIPTION)


def _planted(truth: Truth) -> Scenario:
    own = _catalogue(truth.factors)
    info = ScenarioInfo(name=truth.name, requires=truth.requires, catalogue=own, summary=truth.summary)
    load = truth.locustfile.resolve()
    return Scenario(info=info, locustfile=load, expected=truth.expected, description=table(root()))


def of_locustfile(path: Path) -> Scenario:
    """Somebody's own locustfile in the place of a scenario."""
    if not path.is_file():
        what = (
            f"{path} is not a file; give a locustfile"
            if path.exists()
            else f"the locustfile {path} does not exist; check the path"
        )
        raise UsageError(what)
    if path.stat().st_size > MOST_LOCUSTFILE_BYTES:
        raise UsageError(f"{path} is larger than {MOST_LOCUSTFILE_BYTES // 1_000_000} MB; give a locustfile")
    return Scenario(info=ScenarioInfo(name=path.stem, summary=str(path)), locustfile=path.resolve(), expected={})


def unread_settings(locustfile: Path, catalogue: Catalogue = COMMON) -> frozenset[str]:
    """The settings that are a locustfile's own business and that this one does not read, by the variables in its text.

    One that puts the variables' names together reads all of them, for all that can be told.
    """
    try:
        text = python_text(locustfile)
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {locustfile} as Python ({error}); check the file, and that its first line names its encoding "
            "when that is not UTF-8"
        ) from error
    return unread_in(text, catalogue)


def unread_in(text: str, catalogue: Catalogue = COMMON) -> frozenset[str]:
    """The same of the text of all sources of a program."""
    if _MADE_NAME.search(text):
        return frozenset()
    return frozenset(name for name in catalogue.of_locustfiles if variable(name) not in text)


def inputs_of(source: Source, scenario: Scenario) -> dict[str, str]:
    """The digests of all files that a run is made of, by what each is called: what ``--resume`` must find as it was."""
    load = digests(scenario.locustfile)
    named = {
        f"{'module' if number else 'locustfile'} {name}": value for number, (name, value) in enumerate(load.items())
    }
    about = {f"scenario {scenario.info.name}": digest(scenario.description)} if scenario.description else {}
    return {**named, **about, f"experiment file {source.path.name}": digest(source.path)}


def _catalogue(factors: Mapping[str, Mapping[str, Any]]) -> Catalogue:
    """The settings that all scenarios have, and a scenario's own."""
    return COMMON.extended([_factor(name, entry) for name, entry in factors.items()])


def _factor(name: str, entry: Mapping[str, Any]) -> Factor:
    default, values = entry["default"], tuple(str(value) for value in entry.get("values", ()))
    kinds = {bool: LevelType.SWITCH, int: LevelType.NUMBER, float: LevelType.NUMBER}
    kind = LevelType.CHOICE if values else kinds.get(type(default), LevelType.TEXT)
    return Factor(
        name=name,
        kind=kind,
        default=str(default) if values else default,
        values=values,
        help=entry.get("help", ""),
        read_by=Reader.LOCUSTFILE,
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(
                f"{path} is larger than {MOST_BYTES // 1_000_000} MB, too large for an experiment file; check the path"
            )
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}; check the file") from error
