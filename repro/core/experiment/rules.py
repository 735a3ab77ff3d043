"""Which cells a block of ``[[include]]`` or ``[[exclude]]`` is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from repro.model import Level


@dataclass(frozen=True)
class Rule:
    """A block: of each factor that it names, the levels that it takes. It holds for a cell that has one of each."""

    levels: Mapping[str, tuple[Level, ...]]

    def holds(self, cell: Mapping[str, Level]) -> bool:
        """Whether a cell of these levels is one of the block's."""
        return all(cell.get(name) in levels for name, levels in self.levels.items())

    def takes(self, name: str, level: Level) -> bool:
        """Whether a cell with this level can be one of the block's, whatever its other levels are."""
        return name not in self.levels or level in self.levels[name]

    def is_about(self, names: Collection[str]) -> bool:
        """Whether it names one of these factors."""
        return not self.levels.keys().isdisjoint(names)

    def without(self, names: Collection[str]) -> Rule:
        """The block as it is where these factors do not exist: any cell that has its other levels."""
        return Rule({name: levels for name, levels in self.levels.items() if name not in names})

    def with_more(self, name: str, levels: Collection[Level]) -> Rule:
        """The block with more levels of a factor that it names."""
        return Rule({**self.levels, name: (*self.levels[name], *levels)})
