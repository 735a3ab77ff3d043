"""Which combinations of an experiment's levels are cells: the product as its rules leave it, or few that cover it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from repro.core.cover.rows import covering_rows
from repro.core.cover.space import Combination, Row, Space
from repro.core.experiment.experiment import Experiment
from repro.core.experiment.factors.catalogue import STACK, Catalogue
from repro.core.experiment.rules import Rule, Selection
from repro.errors import ExperimentError
from repro.model import Cover, Level

MOST_CELLS = 100_000
MOST_COMBINATIONS = 50_000
"""covertable's time grows with their square: with so many it takes a few minutes."""
MOST_IMPOSSIBLE = 1_000

Levels = Mapping[str, Level]


@dataclass(frozen=True, kw_only=True)
class CoverRequest:
    """So few cells that every combination of ``strength`` levels is in one; those of ``done`` have been run already."""

    strength: int
    seed: int = 0
    done: tuple[Levels, ...] = ()


class Combinations:
    """The combinations of an experiment's levels, each with the levels that a bundle or a default gives."""

    def __init__(self, experiment: Experiment, catalogue: Catalogue) -> None:
        self._experiment = experiment
        self._catalogue = catalogue
        asked = {name: experiment.levels_in_file(name, catalogue) for name in experiment.explicit}
        self._selection = Selection(experiment.inclusions, experiment.exclusions, asked)

    def all(self) -> Iterator[Levels]:
        """Those that the rules leave, in the order of the levels.

        Raises:
            ExperimentError: they are too many.
        """
        if not self._experiment.inclusions:
            self._check_size()
        return self._kept(tuple(self._experiment.factors))

    def keeps(self, levels: Levels) -> bool:
        """Whether the rules leave a cell with these levels, one for each factor of the experiment."""
        return self._selection.keeps(self.resolved(levels))

    def resolved(self, levels: Levels) -> dict[str, Level]:
        """The levels with those that a bundle or a default gives."""
        bundle = self._experiment.stacks.get(str(levels.get(STACK, "")), {})
        return {**self._catalogue.defaults, **bundle, **levels}

    def _kept(self, names: Sequence[str]) -> Iterator[dict[str, Level]]:
        for number, levels in enumerate(self._product(names, {}), 1):
            if number > MOST_CELLS:
                raise ExperimentError(
                    f"{self._experiment.name}: more than {MOST_CELLS} cells; give fewer levels, or narrower "
                    "[[include]] rules"
                )
            resolved = self.resolved(levels)
            if self._selection.keeps(resolved):
                yield resolved

    def _product(self, names: Sequence[str], begun: Levels) -> Iterator[Levels]:
        """The product of the levels, in the order of the factors, without what early turns out to be in no include."""
        if not names:
            yield begun
            return
        name, *others = names
        for level in self._experiment.factors[name]:
            longer = {**begun, name: level}
            if self._selection.can_keep(longer):
                yield from self._product(others, longer)

    def _check_size(self) -> None:
        count = math.prod(map(len, self._experiment.factors.values()))
        if count > MOST_CELLS:
            raise ExperimentError(
                f"{self._experiment.name}: {count} cells; give fewer levels, {MOST_CELLS} are the most; name the cells "
                "that matter by [[include]], or run few that cover the others by --cover 2"
            )

    # Few that cover the others

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The factors with several levels."""
        return tuple(name for name, levels in self._experiment.factors.items() if len(levels) > 1)

    def covering(self, request: CoverRequest) -> tuple[list[Levels], Cover | None]:
        """Those that cover all others, in the order of the levels, and what they cover; None where all are needed.

        Raises:
            ExperimentError: there are too many to be covered.
        """
        strength = request.strength
        if strength >= len(self.varied):
            return list(self.all()), None
        space = self._space
        self._check_can_cover(strength)
        if not space.count:
            return [], None
        must = [*self._done(request.done), *self._asked_in_full()]
        rows, proof = covering_rows(space, strength, must=must, seed=request.seed)
        rows = sorted({*rows, *self._of_blocks_without(rows)})
        cover = Cover(
            strength=strength,
            of=space.count,
            combinations=proof.possible,
            ruled_out=proof.ruled_out,
            impossible=tuple(map(self._named, proof.impossible[:MOST_IMPOSSIBLE])),
        )
        return [self.resolved(self._levels(row)) for row in rows], cover

    def _check_can_cover(self, strength: int) -> None:
        sizes = self._space.sizes
        count = sum(math.prod(sizes[at] for at in factors) for factors in self._space.factors(strength))
        if count > MOST_COMBINATIONS:
            raise ExperimentError(
                f"--cover {strength}: {count:,} combinations of {strength} levels, more than {MOST_COMBINATIONS:,}; "
                "give a smaller --cover, or fewer levels"
            )

    @cached_property
    def _space(self) -> Space:
        """The varied factors with what the rules leave of those that they speak of."""
        spoken = {name for rule in (*self._experiment.inclusions, *self._experiment.exclusions) for name in rule.levels}
        names = [name for name in self._experiment.factors if name in spoken or self._is_bundle_of(name, spoken)]
        ruled = [name for name in names if name in self.varied]
        kept = self._kept(names) if names else iter([{}])
        return Space(
            sizes=tuple(len(self._experiment.factors[name]) for name in self.varied),
            ruled=tuple(self.varied.index(name) for name in ruled),
            allowed=tuple(tuple(self._number(name, levels) for name in ruled) for levels in kept),
        )

    def _is_bundle_of(self, name: str, spoken: Iterable[str]) -> bool:
        bundled = {one for bundle in self._experiment.stacks.values() for one in bundle}
        return name == STACK and not bundled.isdisjoint(spoken)

    def _number(self, name: str, levels: Levels) -> int:
        return self._experiment.factors[name].index(levels[name])

    def _levels(self, row: Row) -> Levels:
        """The level of each factor of the experiment, those with a single one too."""
        first = {name: levels[0] for name, levels in self._experiment.factors.items()}
        return first | self._named(tuple(enumerate(row)))

    def _named(self, combination: Combination) -> dict[str, Level]:
        names = ((self.varied[factor], level) for factor, level in combination)
        return {name: self._experiment.factors[name][level] for name, level in names}

    # Rows that must be there

    def _done(self, done: Iterable[Levels]) -> Iterator[Row]:
        """The rows of what has been run, as far as they are combinations of this experiment."""
        factors = self._experiment.factors
        for levels in done:
            if all(levels.get(name) in known for name, known in factors.items()) and self.keeps(
                {name: levels[name] for name in factors}
            ):
                yield tuple(self._number(name, levels) for name in self.varied)

    def _asked_in_full(self) -> Iterator[Row]:
        """The rows of the includes that leave one row each."""
        space = self._space
        if len(space.ruled) == len(space.sizes):
            for rule in self._experiment.inclusions:
                own = self._rows_in(rule)
                if len(own) == 1:
                    yield space.completed(tuple(zip(space.ruled, own[0], strict=True)))

    def _of_blocks_without(self, rows: Sequence[Row]) -> Iterator[Row]:
        """A row for each include that none of these rows is in, though there are some."""
        space = self._space
        there = {tuple(row[factor] for factor in space.ruled) for row in rows}
        for rule in self._experiment.inclusions:
            own = self._rows_in(rule)
            if own and there.isdisjoint(own):
                there.add(own[0])
                yield space.completed(tuple(zip(space.ruled, own[0], strict=True)))

    def _rows_in(self, rule: Rule) -> list[Row]:
        """What the rules leave of the ruled factors' levels that is in one include."""
        ruled = self._space.ruled
        named = ((row, self._named(tuple(zip(ruled, row, strict=True)))) for row in self._space.allowed)
        first = {name: levels[0] for name, levels in self._experiment.factors.items()}
        return [row for row, levels in named if rule.holds(self.resolved(first | levels))]
