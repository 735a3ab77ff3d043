"""Makes a plan from the command line: the experiment, its scenario, and the changes to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro.core.experiment.assignments import override
from repro.core.experiment.combinations import CoverRequest
from repro.core.experiment.experiment import Experiment, ScenarioInfo
from repro.core.experiment.factors.amplification import AMPLIFY, apart
from repro.core.experiment.factors.catalogue import PYTHON, STACK
from repro.core.experiment.factors.level_text import typed, variable
from repro.core.experiment.file import parse
from repro.core.experiment.plan import make_plan
from repro.core.faulty.conclusion import CellOf
from repro.errors import UsageError
from repro.model import Effort, Plan, Provision
from repro.orchestration.commands import CommandRequest, PreparedCommand, prepare_command
from repro.world.environments import interpreters
from repro.world.shipped.names import DEFAULT
from repro.world.shipped.scenarios import (
    Scenario,
    Source,
    find_experiment,
    inputs_of,
    of_locustfile,
    scenario_for,
    unread_in,
    unread_settings,
)


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """The request: an experiment's name or path, ``--set`` assignments, and options that replace parts of it.

    ``command`` is somebody's own; it brings its own environment, and no experiment unless one is named. ``is_newest``
    takes the newest release of everything, whatever the experiment and the assignments say.
    """

    experiment: str | None = None
    overrides: Sequence[str] = ()
    trials: int | None = None
    locustfile: Path | None = None
    python: Path | None = None
    backends: Sequence[str] = ()
    command: CommandRequest | None = None
    effort: Effort = field(default_factory=Effort)
    provision: Provision = field(default_factory=Provision)
    is_newest: bool = False
    cover: CoverRequest | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan with its experiment, source and scenario, and the notes to print."""

    plan: Plan
    summary: str
    source: Source
    scenario: Scenario
    notices: tuple[str, ...]
    command: PreparedCommand | None = None
    provision: Provision = field(default_factory=Provision)
    cell_of: CellOf = lambda _: None

    @property
    def inputs(self) -> dict[str, str]:
        """The digests of the input files as they are now."""
        files = self.command.inputs if self.command is not None else inputs_of(self.source, self.scenario)
        return {**files, **_inputs_of(self.provision)}


def prepare(request: RunRequest) -> Prepared:
    """The plan for a request.

    Raises:
        UsageError, ExperimentError: it cannot be used; one sentence with the next step.
    """
    if request.command is not None:
        return replace(_prepare_command(request, request.command), provision=request.provision)
    source = find_experiment(DEFAULT if request.experiment is None else request.experiment)
    scenario = scenario_for(source)
    experiment = parse(source.text, scenario.info, source=str(source.path), name=source.name)
    unread: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()
    if request.locustfile is not None:
        scenario = _own(of_locustfile(request.locustfile), scenario.info)
        unread = unread_settings(scenario.locustfile)
        if left_out := unread & set(experiment.factors):
            experiment = experiment.without(left_out)
            unused = f"{request.locustfile} does not read REPRO_<NAME> of these factors of the experiment"
            notices = (f"{unused}, so they are left out: {', '.join(sorted(left_out))}",)
    overrides = request.overrides
    if request.is_newest:
        experiment = experiment.newest(scenario.info.catalogue)
        overrides = [one for one in overrides if not _is_release(one, scenario.info)]
    assignments = [*([f"backend={','.join(request.backends)}"] if request.backends else []), *overrides]
    experiment = _for_replay(override(experiment, assignments, scenario.info), request)
    if request.trials is not None:
        experiment = experiment.with_trials(request.trials)
    if idle := unread & experiment.explicit:
        notices += (f"{request.locustfile} does not read {_variables(idle)}: --set does not change them",)
    interpreter = _interpreter(request.python)
    planned = make_plan(experiment, scenario.info, interpreter=interpreter, cover=request.cover)
    if interpreter is not None and any(cell.settings["launch"] != "script" for cell in planned.plan.cells):
        _check_has_locust(interpreter)
    return Prepared(
        plan=replace(planned.plan, effort=request.effort),
        summary=experiment.summary,
        source=source,
        scenario=scenario,
        notices=(*notices, *planned.notices),
        cell_of=planned.cell_of,
        provision=request.provision,
    )


def _is_release(assignment: str, scenario: ScenarioInfo) -> bool:
    """Whether an assignment is of a package's release, of a bundle of them, or of a day."""
    name = scenario.catalogue.canonical(assignment.partition("=")[0].strip(), where=f"--set {assignment}")
    return name != PYTHON and (name == STACK or scenario.catalogue.is_built(name))


def _for_replay(experiment: Experiment, request: RunRequest) -> Experiment:
    """With each knob of its amplifications alone beside them, and none, where a seed is replayed."""
    if request.effort.replays is None:
        return experiment
    given = experiment.factors.get(AMPLIFY, ())
    levels = tuple(dict.fromkeys(level for one in given for level in apart(str(one))))
    return replace(experiment, factors={**experiment.factors, AMPLIFY: levels}) if levels else experiment


def _inputs_of(provision: Provision) -> dict[str, str]:
    """What of it a run is made of, by the options' names: only what was given."""
    found = {f"--{name.replace('_', '-')}": value for name, value in vars(provision).items() if value}
    return {name: value if isinstance(value, str) else repr(value) for name, value in found.items()}


def _prepare_command(request: RunRequest, asked: CommandRequest) -> Prepared:
    """The plan of somebody's own command: of an experiment that is named its factors, else none but what is typed."""
    if request.locustfile is not None:
        raise UsageError("--locustfile and a command after -- both say what is run; leave --locustfile out")
    varied = {one.partition("=")[0].strip() for one in request.overrides}
    command = prepare_command(asked, python=request.python, varied=varied)
    source = find_experiment(DEFAULT if request.experiment is None else request.experiment)
    replaced = scenario_for(source).info
    info = replace(command.info, catalogue=replaced.catalogue)
    experiment = parse(source.text, info, source=str(source.path), name=source.name)
    unread = unread_in(command.sources, info.catalogue)
    notices = command.notices
    if request.experiment is None:
        experiment = experiment.of_command(info)
    elif left_out := unread & set(experiment.factors):
        experiment = experiment.without(left_out)
        notices += (f"the command's files do not read {_variables(left_out)}: these factors are left out",)
    own = [f"{name}={typed(level)}" for name, level in command.line.levels.items()]
    backends = [f"backend={','.join(request.backends)}"] if request.backends else []
    experiment = _for_replay(override(experiment, [*own, *backends, *request.overrides], info), request)
    if request.trials is not None:
        experiment = experiment.with_trials(request.trials)
    if idle := unread & experiment.explicit:
        notices += (f"the command's files do not read {_variables(idle)}: --set does not change them",)
    planned = make_plan(experiment, info, cover=request.cover)
    command.check_has_locust(planned.plan.cells)
    return Prepared(
        plan=replace(planned.plan, effort=request.effort),
        summary=info.summary,
        source=source,
        scenario=Scenario(info=info, locustfile=command.locustfile, expected={}),
        notices=(*notices, *planned.notices),
        cell_of=planned.cell_of,
        command=command,
    )


def _variables(names: Collection[str]) -> str:
    return ", ".join(variable(name) for name in sorted(names))


def _own(scenario: Scenario, replaced: ScenarioInfo) -> Scenario:
    """A user's own file may read the replaced scenario's own settings: they stay known."""
    return replace(scenario, info=replace(scenario.info, catalogue=replaced.catalogue))


def _interpreter(path: Path | None) -> Path | None:
    if path is None:
        return None
    if path.is_dir() and (path / "bin" / "python").exists():
        path = path / "bin" / "python"
    if not path.exists():
        raise UsageError(
            f"--python {path}: the interpreter does not exist; give the path of one, such as .venv/bin/python"
        )
    return Path(
        path.absolute()
    )  # not resolved: a virtual environment's interpreter is a link, and its place says which


def _check_has_locust(interpreter: Path) -> None:
    _, packages = interpreters.inspect(interpreter)
    if "locust" not in {name.lower() for name in packages}:
        raise UsageError(
            f"--python {interpreter}: Locust is not installed in this environment; give one that has it, or add "
            "--set launch=script for a file that is not a Locust test"
        )
