"""Turns a hung cell into one file that shows the hang: reduces it while it still hangs, then runs it to prove it.

    recipe ─▶ fewer pins ─▶ fewer settings ─▶ reproduce.py in its own folder ─▶ run N times in a fresh environment

Every step is an experiment: a pin or a setting stays only when the file without it did not hang.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from repro.command import CommandLine, Program
from repro.core.experiment.factors import level_text
from repro.core.experiment.factors.amplification import NONE
from repro.core.experiment.factors.catalogue import COMMON, Catalogue
from repro.core.search.shrinking import QUEUE, Recipe, reduced, settings_of
from repro.errors import UntestableError, UsageError
from repro.model import Cell, CellResult, CellVerdict, EnvironmentSpec, HangClass, Level, StoredRun, Trial
from repro.world.environments import interpreters
from repro.world.environments.cache import EnvironmentCache
from repro.world.environments.installer import uv_path
from repro.world.processes import door
from repro.world.runs.kept.locustfile import Locustfile

RUN_LIMIT_S = 180.0
TRIES_TO_BE_SURE = 2
FILE = "reproduce.py"
PROGRAM = "program.py"
SCRIPT = "script"
QUEUE_NAME = "reproduce"
REGION = "us-east-1"
EXPORTABLE = {HangClass.UNSTOPPABLE, HangClass.FROZEN, HangClass.DEADLOCKED, HangClass.SPINNING}


class ExportOutcome(Enum):
    """The outcome of running the file."""

    HANG = 1
    CLEAN = 0
    BROKEN = 2


@dataclass(frozen=True)
class Attempt:
    """One run of a file: its outcome, its length in seconds, and its output."""

    outcome: ExportOutcome
    seconds: float
    output: str


@dataclass(frozen=True)
class Exported:
    """The result of an export: the folder, the file's number of lines, and the proof runs."""

    folder: Path
    lines: int
    proof: tuple[Attempt, ...]

    @property
    def seen(self) -> str:
        """``hung 5 of 5, first after 9 s``; runs that failed are counted separately."""
        hung = [attempt for attempt in self.proof if attempt.outcome is ExportOutcome.HANG]
        broken = sum(attempt.outcome is ExportOutcome.BROKEN for attempt in self.proof)
        first = f", first after {hung[0].seconds:.0f} s" if hung else ""
        failed = f", {broken} of them failed" if broken else ""
        return f"hung {len(hung)} of {len(self.proof)}{first}{failed}"

    @property
    def has_hung(self) -> bool:
        """Whether any proof run hung."""
        return any(attempt.outcome is ExportOutcome.HANG for attempt in self.proof)


def choose(run: StoredRun, cell: str | None) -> tuple[CellResult, Trial]:
    """The cell to export, by the start of its id or its label, by default the first that hung; and its first hang.

    Raises:
        UsageError: there is no such cell, or it did not hang.
    """
    hung = [result for result in run.cells if result.verdict is CellVerdict.HANG]
    if cell is not None:
        hung = [result for result in hung if result.cell.id.startswith(cell) or cell == result.cell.label]
    if not hung:
        which = f"no cell {cell!r} hung" if cell else "no cell hung"
        raise UsageError(f"{which} in {run.folder}; `{_report_of(run)}` shows the cells and their ids")
    trial = next(trial for trial in hung[0].trials if trial.hang is not None)
    if trial.hang is not None and trial.hang.hang_class not in EXPORTABLE:
        raise UsageError(
            f"the cell hangs {trial.hang.hang_class}: the cause is between client and backend, which one file cannot "
            f"show; send `{_report_of(run)}` instead"
        )
    return hung[0], trial


def _report_of(run: StoredRun) -> str:
    return shlex.join(["repro", "report", str(run.folder)])


def recipe_of(
    result: CellResult,
    trial: Trial,
    *,
    title: str,
    load: Locustfile | None,
    run: StoredRun,
    catalogue: Catalogue = COMMON,
) -> Recipe:
    """The full recipe: all resolved versions, and all settings that differ from the defaults.

    ``title`` says what hangs; ``load`` is the locustfile of the ``run``, None for the report's pattern, which the
    file has by itself.

    Raises:
        UsageError: it does not fit into one file.
    """
    cell = result.cell
    settings = {**catalogue.defaults, **cell.settings}  # a run may be older than a setting
    _check_fits(cell, settings, catalogue, run)
    _check_packages(load)
    if settings["launch"] == SCRIPT:
        return _program_of(result, trial, settings, title=title, load=load, run=run, catalogue=catalogue)
    is_deadlocked = trial.hang is not None and trial.hang.hang_class is HangClass.DEADLOCKED
    stall = run.plan.limits.stall_after_s + int(settings["wait_time_seconds"]) if is_deadlocked else 0
    return Recipe(
        title=title,
        python=".".join(trial.python.split(".")[:2]),
        pins={name: version for name, version in trial.versions.items() if name != "pip"},
        settings=settings_of(settings, catalogue),
        seed=trial.seed,
        users=int(settings["users"]),
        seconds=max(float(settings["seconds"]), 2 * stall + 2 if stall else 0),
        grace=run.plan.limits.stop_grace_s,
        stall=stall,
        source=load.source if load else "",
        modules=load.modules if load else {},
        places=load.places if load else {},
        path=load.path if load else "",
        place=load.place if load else "",
        files=load.files if load else {},
        variables={
            **(_variables_of(settings, catalogue) if load else {}),
            **_passed_on(run),
            **_environ_of(cell),
        },
        arguments=tuple(word.replace("{queue}", QUEUE_NAME) for word in run.typed.arguments) if run.typed else (),
        catalogue=catalogue,
    )


def _program_of(
    result: CellResult,
    trial: Trial,
    settings: Mapping[str, Level],
    *,
    title: str,
    load: Locustfile | None,
    run: StoredRun,
    catalogue: Catalogue,
) -> Recipe:
    """The recipe of a plain program: it hangs when its time is over and it does nothing, as the judge has it."""
    if load is None or settings["amplify"] != NONE:
        what = "an amplified program" if load else "the report's pattern run as a plain program"
        raise UsageError(f"{what} does not fit into one file; send `{_report_of(run)}` instead")
    cell, limits = result.cell, run.plan.limits
    path = load.path or (PROGRAM if "program" not in load.modules else FILE)
    return Recipe(
        title=title,
        python=".".join(trial.python.split(".")[:2]),
        pins={name: version for name, version in trial.versions.items() if name != "pip"},
        settings=settings_of(settings, catalogue),
        users=int(settings["users"]),
        seconds=float(settings["seconds"]),
        grace=limits.stop_grace_s,
        stall=max(float(settings["seconds"]) / 2, limits.stall_after_s),
        source=load.source,
        modules=load.modules,
        places={name: f"{name}.py" for name in load.modules} | dict(load.places),
        path=path,
        place=load.place,
        files=load.files,
        paths=load.paths,
        variables={**_variables_of(settings, catalogue), **_passed_on(run), **_environ_of(cell)},
        command=_words_of(run.typed, path),
        is_burning=trial.hang is not None and trial.hang.hang_class is HangClass.SPINNING,
        catalogue=catalogue,
    )


def _words_of(line: CommandLine | None, path: str) -> tuple[str, ...]:
    """What stood behind the interpreter where the program was typed."""
    if line is None:
        return (path,)
    target = ("-m", line.target) if line.program is Program.MODULE else (line.target,)
    words = (*line.options, *target, *line.arguments)
    return tuple(word.replace("{queue}", QUEUE_NAME).replace("{region}", REGION) for word in words)


def _environ_of(cell: Cell) -> dict[str, str]:
    return {name: value for name, value in cell.environ.items() if value != ""}


def _check_fits(cell: Cell, settings: Mapping[str, Level], catalogue: Catalogue, run: StoredRun) -> None:
    """Refuse a cell with a setting that one file cannot have."""
    beyond = [
        f"{factor.name}={level_text.shown(settings[factor.name])}"
        for factor in catalogue
        if factor.in_one_file is not None and settings[factor.name] not in factor.in_one_file
    ]
    if beyond:
        raise UsageError(
            f"{cell.label}: a cell with {' and '.join(beyond)} does not fit into one file; "
            f"send `{_report_of(run)}` instead"
        )


def _check_packages(load: Locustfile | None) -> None:
    """Refuse a locustfile that takes more than modules with it."""
    if load is not None and load.packages:
        raise UsageError(
            f"the locustfile imports {', '.join(load.packages)} from its own folder, and one file cannot hold a "
            "package; put what it needs into the locustfile and run it again"
        )


def _variables_of(settings: Mapping[str, Level], catalogue: Catalogue) -> dict[str, str]:
    """What a locustfile reads: its queue, and every setting that is not at its default."""
    usual = catalogue.defaults
    changed = {name: level for name, level in settings.items() if level != usual.get(name)}
    return {QUEUE: QUEUE_NAME, **level_text.variables(changed)}


def _passed_on(run: StoredRun) -> dict[str, str]:
    """The shell's variables that the trials had; the modules that PYTHONPATH led to are in the file."""
    given = run.typed_in.variables if run.typed_in else {}
    return {name: value.replace("{queue}", QUEUE_NAME) for name, value in given.items() if name != "PYTHONPATH"}


class Workshop:
    """Reduces and runs recipes; ``render`` makes a file's text, ``say`` receives progress lines."""

    def __init__(self, *, render: Callable[[Recipe], str], say: Callable[[str], None]) -> None:
        self._render = render
        self._say = say
        self._cache = EnvironmentCache()

    def reduce(self, recipe: Recipe, *, explicit: Collection[str]) -> Recipe:
        """Reduce the recipe as long as it still hangs; each step runs in a cached environment."""
        return reduced(
            recipe,
            explicit=explicit,
            hangs=lambda one: any(outcome is ExportOutcome.HANG for outcome in self._outcomes(one)),
            hangs_surely=lambda one: all(outcome is ExportOutcome.HANG for outcome in self._outcomes(one)),
            say=lambda text: self._say(f"trying {text}"),
        )

    def prove(self, recipe: Recipe, folder: Path, *, runs: int) -> Exported:
        """Write the file to ``folder``, and run it as its reader will: with uv, in a fresh environment."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        text = self._render(recipe)
        path.write_text(text, "utf-8")
        python = interpreters.find(recipe.python).path
        proof = []
        with tempfile.TemporaryDirectory(prefix="repro-") as cache:
            variables = {**os.environ, "UV_CACHE_DIR": cache, "UV_PYTHON_DOWNLOADS": "never"} if runs else {}
            for number in range(1, runs + 1):
                self._say(f"proof {number} of {runs}")
                argv = [
                    uv_path(),
                    "run",
                    "--quiet",
                    "--no-project",
                    "--python",
                    str(python),
                    "--script",
                    FILE,  # as its reader types it, from its folder
                ]
                proof.append(_run(argv, folder, env=variables))
        return Exported(folder=folder, lines=text.count("\n"), proof=tuple(proof))

    def _outcomes(self, recipe: Recipe) -> Iterator[ExportOutcome]:
        """What so many runs of the file come to as are needed to be sure; one that fails has no second."""
        try:
            spec = EnvironmentSpec(python=recipe.python, pins=recipe.pins)
            environment = self._cache.ensure(spec)
        except UntestableError:
            yield ExportOutcome.BROKEN
            return
        with tempfile.TemporaryDirectory(prefix="repro-") as name:
            path = Path(name) / FILE
            path.write_text(self._render(recipe), "utf-8")
            for _ in range(TRIES_TO_BE_SURE):
                outcome = _run([str(environment.interpreter), str(path)], Path(name), env=dict(os.environ)).outcome
                yield outcome
                if outcome is ExportOutcome.BROKEN:
                    return


def _run(argv: list[str], folder: Path, *, env: Mapping[str, str]) -> Attempt:
    began = time.monotonic()
    done = door.run(argv, env=env, cwd=folder, limit_s=RUN_LIMIT_S, mark="export")
    outcome = {1: ExportOutcome.HANG, 0: ExportOutcome.CLEAN}.get(done.returncode, ExportOutcome.BROKEN)
    if outcome is ExportOutcome.HANG and "HANG:" not in done.stdout:
        outcome = ExportOutcome.BROKEN  # an exit code of 1 is Python's own for an error, too
    return Attempt(outcome, time.monotonic() - began, done.stdout + done.stderr)
