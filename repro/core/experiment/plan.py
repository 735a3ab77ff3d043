"""An experiment made into cells: the combinations of its levels, each with its environment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro.core.experiment.combinations import Combinations, CoverRequest
from repro.core.experiment.experiment import Experiment, ScenarioInfo
from repro.core.experiment.factors.catalogue import AS_OF, ENV, PYTHON, STACK, WELL_KNOWN, Catalogue
from repro.core.experiment.factors.level_text import shown
from repro.errors import ExperimentError
from repro.model import BaseEnvironment, Cell, EnvironmentSpec, Level, Plan

ID_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan and what must be said about it.

    ``cell_of`` makes a cell of the matrix that need not be of the plan, by its levels of the factors that vary; None
    where the rules leave none.
    """

    plan: Plan
    notices: tuple[str, ...] = ()
    cell_of: Callable[[Mapping[str, Level]], Cell | None] = lambda _: None


def make_plan(
    experiment: Experiment,
    scenario: ScenarioInfo,
    *,
    interpreter: Path | None = None,
    cover: CoverRequest | None = None,
) -> Planned:
    """The cells of an experiment, in the order of its levels; with ``cover`` few of them that cover the others.

    With ``interpreter``, an environment that exists is run untouched: what the experiment says of packages, days and
    interpreters is left out, with a notice.

    Raises:
        ExperimentError: too many cells, none at all, or packages set for an environment that is to stay as it is.
    """
    notices: tuple[str, ...] = ()
    if interpreter is not None:
        experiment, notices = _untouched(experiment, scenario.catalogue)
    maker = _CellMaker(experiment, scenario, interpreter)
    combinations = Combinations(experiment, scenario.catalogue)
    chosen, covered = combinations.covering(cover) if cover else (combinations.all(), None)
    cells: dict[str, Cell] = {}
    for levels in chosen:
        cell = maker.make(levels)
        cells.setdefault(cell.id, cell)
    if not cells:
        kinds = [("[[include]]", experiment.inclusions), ("[[exclude]]", experiment.exclusions)]
        there = " and ".join(kind for kind, rules in kinds if rules)
        raise ExperimentError(
            f"{experiment.name}: the {there} rules leave no cell; remove one, or give all factors of it by --set: "
            "what was asked for in full is run"
        )
    if cover and covered is None:
        notices += (f"--cover {cover.strength}: {len(maker.varied)} of the factors vary, so that all cells are run",)
    return Planned(
        plan=Plan(
            experiment=experiment.name,
            scenario=scenario.name,
            cells=tuple(cells.values()),
            varied=maker.varied,
            trials=experiment.trials,
            limits=experiment.limits,
            cover=covered,
        ),
        notices=notices,
        cell_of=lambda levels: _cell(levels, experiment, combinations, maker),
    )


def _cell(
    levels: Mapping[str, Level], experiment: Experiment, combinations: Combinations, maker: _CellMaker
) -> Cell | None:
    whole = {name: levels.get(name, first[0]) for name, first in experiment.factors.items()}
    return maker.make(combinations.resolved(whole)) if combinations.keeps(whole) else None


def _untouched(experiment: Experiment, catalogue: Catalogue) -> tuple[Experiment, tuple[str, ...]]:
    gone = {name for name in experiment.factors if catalogue.is_built(name)}
    if asked := gone & experiment.explicit:
        raise ExperimentError(f"--set {min(asked)}=…: --python runs an environment as it is; leave one of the two out")
    bundled = {name for bundle in experiment.stacks.values() for name in bundle if catalogue.is_built(name)}
    kept = experiment.without(gone | bundled)
    if not any(kept.stacks.values()):
        gone |= {STACK} & set(experiment.factors)
        kept = replace(kept.without({STACK}), stacks={})
    left_out = sorted(gone) + sorted(bundled - gone if kept.stacks else ())
    if not left_out:
        return kept, ()
    names = ", ".join(left_out)
    return kept, (f"--python keeps the environment as it is, so these factors of the experiment are left out: {names}",)


# A cell


class _CellMaker:
    """Makes the cells of an experiment; those of one environment share its request."""

    def __init__(self, experiment: Experiment, scenario: ScenarioInfo, interpreter: Path | None) -> None:
        self._experiment = experiment
        self._scenario = scenario
        self._catalogue = scenario.catalogue
        self._interpreter = interpreter
        self._environments: dict[str, EnvironmentSpec] = {}
        self.varied = tuple(name for name, levels in experiment.factors.items() if len(levels) > 1)

    def make(self, levels: Mapping[str, Level]) -> Cell:
        """The cell of these levels, one for every factor."""
        free = self._free(levels)
        environment = self._environment(levels, free)
        named = self._named(levels)
        return Cell(
            id=self._id(levels, free),
            label=" ".join(f"{name}={shown(levels[name])}" for name in named) or "all defaults",
            named=named,
            scenario=self._scenario.name,
            factors=dict(levels),
            settings={name: level for name, level in levels.items() if name in self._catalogue},
            environ={name.removeprefix(ENV): str(level) for name, level in levels.items() if name.startswith(ENV)},
            environment=self._environments.setdefault(repr(environment), environment),
        )

    def _environment(self, levels: Mapping[str, Level], free: Sequence[str]) -> EnvironmentSpec:
        day = str(levels.get(AS_OF, ""))
        if base := self._scenario.base:
            return _of_base(base, levels, day, self._pins(levels), self._free(levels))
        return EnvironmentSpec(
            python=str(levels.get(PYTHON, "")),
            pins=self._pins(levels),
            requires=(*self._scenario.requires, *free),
            as_of=date.fromisoformat(day) if day else None,
            interpreter=self._interpreter,
        )

    def _pins(self, levels: Mapping[str, Level]) -> dict[str, str]:
        return {name: str(level) for name, level in levels.items() if self._catalogue.is_package(name) and level != ""}

    def _free(self, levels: Mapping[str, Level]) -> tuple[str, ...]:
        """The packages that are asked for in whatever release is the newest, and that do not come in by themselves."""
        return tuple(
            name
            for name, level in levels.items()
            if level == "" and self._catalogue.is_package(name) and name not in self._brought
        )

    @cached_property
    def _brought(self) -> frozenset[str]:
        if self._scenario.base:
            return frozenset()
        required = (canonicalize_name(Requirement(one).name) for one in self._scenario.requires)
        return frozenset({*WELL_KNOWN, *required})

    def _id(self, levels: Mapping[str, Level], free: Collection[str]) -> str:
        """By what differs from the defaults: a setting that is added to the catalogue later changes no id."""
        usual = self._catalogue.defaults
        own = {
            name: level
            for name, level in levels.items()
            if usual.get(name) != level and (level != "" or name in free) and name != STACK
        }
        scenario = self._scenario
        named = [scenario.name, scenario.identity] if scenario.identity else [scenario.name]
        text = json.dumps([*named, own], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]

    def _named(self, levels: Mapping[str, Level]) -> tuple[str, ...]:
        """The factors that tell this cell from the others; of a single one those that are not as usual."""
        usual = self._catalogue.defaults
        return self.varied or tuple(name for name in self._experiment.factors if usual.get(name) != levels[name])


def _of_base(
    base: BaseEnvironment, levels: Mapping[str, Level], day: str, pins: Mapping[str, str], free: tuple[str, ...]
) -> EnvironmentSpec:
    """The environment as it is where the levels change nothing of it, else one that is made from it."""
    python = str(levels.get(PYTHON, ""))
    is_same_python = not python or f"{base.python}.".startswith(f"{python}.")
    is_same = all(base.versions.get(name) == version for name, version in pins.items())
    if is_same and is_same_python and not free and not day:
        return EnvironmentSpec(interpreter=base.interpreter)
    return EnvironmentSpec(
        python="" if is_same_python else python,
        pins=pins,
        requires=free,
        as_of=date.fromisoformat(day) if day else None,
        base=base,
    )
