"""Which cells of an experiment are run: what a block of ``[[include]]`` or ``[[exclude]]`` says, and all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from repro.model import Level


@dataclass(frozen=True)
class Rule:
    """A block: of each factor that it names, the levels that it takes. It holds for a cell that has one of each."""

    levels: Mapping[str, tuple[Level, ...]]

    def holds(self, cell: Mapping[str, Level]) -> bool:
        """Whether a cell of these levels is one of the block's."""
        return all(cell.get(name) in levels for name, levels in self.levels.items())

    def can_hold(self, some: Mapping[str, Level]) -> bool:
        """Whether a cell that has these levels, whatever else it has, can be one of the block's."""
        return all(name not in self.levels or level in self.levels[name] for name, level in some.items())

    def is_about(self, names: Collection[str]) -> bool:
        """Whether it names one of these factors."""
        return not self.levels.keys().isdisjoint(names)

    def without(self, names: Collection[str]) -> Rule:
        """The block as it is where these factors do not exist: any cell that has its other levels."""
        return Rule({name: levels for name, levels in self.levels.items() if name not in names})


class Selection:
    """Which cells are run, by an experiment's blocks and by what the command line asks for.

    ``asked`` are the factors that the command line gives, each with the levels that the file has for it. What was asked
    for is run. So a level that the file does not have matches every include. If no include allows the levels together,
    all includes do. An exclude whose factors are all given by the command line has no effect.
    """

    def __init__(
        self, includes: Sequence[Rule], excludes: Sequence[Rule], asked: Mapping[str, Collection[Level]]
    ) -> None:
        self._asked = {
            name: levels for name, levels in asked.items() if any(rule.is_about({name}) for rule in includes)
        }
        self._includes = tuple(includes) or (Rule({}),)
        self._widest = self._without(self._asked)
        self._excludes = tuple(rule for rule in excludes if not rule.levels.keys() <= asked.keys())

    def can_keep(self, some: Mapping[str, Level]) -> bool:
        """Whether a cell that has these levels, whatever else it has, can be one that is run."""
        return any(rule.can_hold(some) for rule in self._widest)

    def keeps(self, cell: Mapping[str, Level]) -> bool:
        """Whether a cell of these levels is run."""
        includes = self._includes_for({name: cell[name] for name in self._asked})
        return any(rule.holds(cell) for rule in includes) and not any(rule.holds(cell) for rule in self._excludes)

    def _includes_for(self, asked: Mapping[str, Level]) -> tuple[Rule, ...]:
        """The includes as they are for a combination of levels that the command line asks for."""
        unknown = {name for name, level in asked.items() if level not in self._asked[name]}
        rules = self._without(unknown)
        return rules if any(rule.can_hold(asked) for rule in rules) else self._widest

    def _without(self, names: Collection[str]) -> tuple[Rule, ...]:
        return tuple(rule.without(names) for rule in self._includes) if names else self._includes
