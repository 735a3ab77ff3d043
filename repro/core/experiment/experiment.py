"""The records: what an experiment says, and what must be known of its scenario to read it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from repro.core.experiment.factors.catalogue import COMMON, PYTHON, STACK, Catalogue
from repro.core.experiment.rules import Rule
from repro.errors import ExperimentError
from repro.model import BaseEnvironment, Level, Limits

MOST_TRIALS = 10_000


@dataclass(frozen=True, kw_only=True)
class ScenarioInfo:
    """What an experiment must know of its scenario: its name, what it requires, the settings that it may name.

    ``base`` is the environment that its cells have but for the packages that they vary; ``identity`` tells two
    scenarios of one name apart.
    """

    name: str
    identity: str = ""
    base: BaseEnvironment | None = None
    requires: tuple[str, ...] = ("locust", "boto3", "setuptools<80")
    catalogue: Catalogue = COMMON
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment: factors in the file's order with their levels, bundles, which cells of the product, limits.

    Without ``inclusions`` every cell is one; ``exclusions`` apply after them. ``explicit`` names the factors that the
    command line set: they win over what a stack says. ``in_file`` are the factors as they were before.
    """

    name: str
    summary: str
    trials: int
    factors: Mapping[str, tuple[Level, ...]]
    stacks: Mapping[str, Mapping[str, Level]]
    inclusions: tuple[Rule, ...]
    exclusions: tuple[Rule, ...]
    limits: Limits
    explicit: frozenset[str] = frozenset()
    in_file: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)

    def levels_in_file(
        self, name: str, catalogue: Catalogue, *, stacks: Collection[str] | None = None
    ) -> tuple[Level, ...]:
        """The levels that a factor has by the file: its own, else those of all its stacks or some, or the default."""
        if name in self.in_file:
            return self.in_file[name]
        bundles = [self.stacks.get(stack, {}) for stack in (self.stacks if stacks is None else stacks) or ("",)]
        usual = catalogue.defaults.get(name)
        found = dict.fromkeys(bundle.get(name, usual) for bundle in bundles)
        return tuple(level for level in found if level is not None)

    def with_trials(self, trials: int) -> Experiment:
        """The experiment with this many trials of each cell.

        Raises:
            ExperimentError: too few or too many.
        """
        if not 1 <= trials <= MOST_TRIALS:
            raise ExperimentError(f"--trials {trials}: choose 1 to {MOST_TRIALS:,}")
        return replace(self, trials=trials)

    def of_command(self, scenario: ScenarioInfo) -> Experiment:
        """What is left of it for somebody's own command: its stacks, of which only packages count, and its limits."""
        built = scenario.catalogue.is_built
        return replace(
            self,
            name=scenario.name,
            summary=scenario.summary,
            factors={},
            in_file={},
            inclusions=(),
            exclusions=(),
            stacks={
                stack: {name: level for name, level in bundle.items() if built(name)}
                for stack, bundle in self.stacks.items()
            },
        )

    def without(self, names: Collection[str]) -> Experiment:
        """The experiment with some factors left out: of its matrix, its bundles and its rules.

        An include ignores the factor, so that the cells are those that differ in what is left. An exclude that
        names it goes: without it, it would leave out more than was meant.
        """
        stacks = {
            stack: {key: value for key, value in bundle.items() if key not in names}
            for stack, bundle in self.stacks.items()
        }
        return replace(
            self,
            factors={name: levels for name, levels in self.factors.items() if name not in names},
            stacks=stacks,
            inclusions=tuple(rule.without(names) for rule in self.inclusions),
            exclusions=tuple(rule for rule in self.exclusions if not rule.is_about(names)),
        )

    def newest(self, catalogue: Catalogue) -> Experiment:
        """The experiment with the newest releases of everything: no versions, no day, no bundles of them."""
        names = {*self.factors, *(name for bundle in self.stacks.values() for name in bundle)}
        built = {name for name in names if name != PYTHON and catalogue.is_built(name)}
        return self.without(built | {STACK})
