"""What ``--set`` makes of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from repro.core.experiment.experiment import Experiment, ScenarioInfo
from repro.core.experiment.factors.catalogue import STACK
from repro.core.experiment.file import LimitsSection, levels_of
from repro.errors import ExperimentError
from repro.model import Level, Limits

NO_STACK = "none"
"""The level after ``--set stack=`` that takes the factor out: packages are as they are set, else the newest."""
_LIMITS = "limits."


def override(experiment: Experiment, assignments: Sequence[str], scenario: ScenarioInfo) -> Experiment:
    """The experiment with ``--set NAME=L1,L2`` applied, in order; also ``limits.NAME=SECONDS``.

    Raises:
        ExperimentError: an assignment cannot be used.
    """
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        where = f"--set {assignment}"
        if not sign or not name.strip():
            raise ExperimentError(f"{where}: the level is missing; write NAME=LEVEL, or NAME=LEVEL,LEVEL for several")
        if name.startswith(_LIMITS):
            experiment = _with_limit(experiment, name.removeprefix(_LIMITS), value, where)
            continue
        factor = scenario.catalogue.canonical(name.strip(), where=where)
        levels = levels_of(factor, value.split(","), scenario.catalogue, where=where)
        experiment = _with_levels(experiment, factor, levels, where)
    return experiment


def _with_levels(experiment: Experiment, name: str, levels: tuple[Level, ...], where: str) -> Experiment:
    if name == STACK and levels == (NO_STACK,):
        return experiment.without({STACK})
    if name == STACK and (unknown := [one for one in levels if one not in experiment.stacks]):
        known = ", ".join(experiment.stacks)
        has = f"choose {known}, or {NO_STACK} to leave them out" if known else "this experiment has no [stacks]"
        raise ExperimentError(f"{where}: unknown stack {unknown[0]!r}; {has}")
    return replace(
        experiment,
        factors={**experiment.factors, name: levels},
        explicit=experiment.explicit | {name},
    )


def _with_limit(experiment: Experiment, name: str, value: str, where: str) -> Experiment:
    known = [one.name for one in fields(Limits)]
    if name not in known:
        raise ExperimentError(f"{where}: unknown limit {name!r}; choose {', '.join(known)}")
    try:
        limits = LimitsSection.model_validate({name: float(value)})
    except ValueError:
        share = " and at most 1" if name == "failing_share" else ""
        raise ExperimentError(f"{where}: {name} cannot be {value!r}; give a number above 0{share}") from None
    return replace(experiment, limits=replace(experiment.limits, **{name: getattr(limits, name)}))
