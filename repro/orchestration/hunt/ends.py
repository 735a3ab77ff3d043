"""Resolves the two ends of a blame from a day, a file or an interpreter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro.answer import End
from repro.errors import UnreachableError, UntestableError, UsageError
from repro.model import BaseEnvironment, EnvironmentSpec
from repro.orchestration.hunt.mixture import Mixer
from repro.orchestration.preparation import Prepared, RunRequest, prepare
from repro.world.environments import cache
from repro.world.environments.lists import minor, read_pins

ESSENTIAL = frozenset({"locust", "boto3"})
"""What no list of packages to be blamed can lack; what else a scenario needs comes in by itself."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """How an end was given: a path to ``--good`` or ``--bad``, or a day to ``--good-as-of`` or ``--bad-as-of``."""

    name: str
    path: Path | None = None
    as_of: date | None = None


def one_cell(run: RunRequest) -> Prepared:
    """The plan with the only cell, whose packages are varied.

    Raises:
        UsageError: the experiment varies something.
    """
    prepared = prepare(run)
    if prepared.plan.varied:
        raise UsageError(
            f"blame varies only packages, but the experiment varies {', '.join(prepared.plan.varied)} too; fix each "
            "with --set NAME=LEVEL"
        )
    return prepared


def mixer_of(
    good: Side, bad: Side, prepared: Prepared, *, by_hand: Collection[str], notice: Callable[[str], None]
) -> Mixer:
    """What makes the cells between the two sides; ``by_hand`` are the packages that ``--set`` pins on both.

    ``notice`` is told of what a list names that is not a release of an index, which is left out.

    Raises:
        UsageError: a side cannot be used, or the two do not differ.
    """
    ends = Ends(prepared=prepared, by_hand=by_hand, notice=notice)
    first, last = ends.of(good), ends.of(bad)
    (cell,) = prepared.plan.cells
    pins = cell.environment.pins
    days = [side.as_of for side in (good, bad) if side.as_of]
    mixer = Mixer(
        cell=cell,
        good=first,
        bad=last,
        fixed={name: pin for name, pin in pins.items() if first.versions.get(name) == last.versions.get(name) == pin},
        requires=tuple(
            one
            for name, one in _by_name(prepared.scenario.info.requires).items()
            if name not in first.versions or name not in last.versions
        ),
        newest=max(days) if len(days) == 2 else None,
        base=_local_of(prepared.scenario.info.base),
    )
    if not mixer.changes:
        raise UsageError(
            f"{first.name} and {last.name} are made of the same {len(first.versions)} packages; look for another "
            "difference, such as the version of Python"
        )
    return mixer


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Makes ends for one cell; ``by_hand`` are the packages that ``--set`` pins on both sides."""

    prepared: Prepared
    by_hand: Collection[str]
    notice: Callable[[str], None]

    def of(self, side: Side) -> End:
        """Resolve a side."""
        if side.as_of is not None:
            return self._of_day(side, side.as_of)
        if side.path is not None:
            return self._of_path(side, side.path)
        raise ValueError(side)

    def _of_day(self, side: Side, day: date) -> End:
        info = self.prepared.scenario.info
        spec = replace(self._spec, requires=info.requires, as_of=day, base=info.base, interpreter=None)
        try:
            versions = dict(cache.resolve(spec))
        except UnreachableError:
            raise
        except UntestableError as error:
            raise UsageError(
                f"--{side.name}-as-of {day}: it cannot be resolved; pin with --set what is named. {error}"
            ) from error
        return End(name=day.isoformat(), versions=versions, python=self._python())

    def _of_path(self, side: Side, path: Path) -> End:
        asked = self._spec
        python = self._python()
        wanted = asked.python or (python if self.prepared.scenario.info.base else "")
        pins = read_pins(path, python=wanted, hints=asked.pins)
        versions = {**pins.versions, **{name: pin for name, pin in asked.pins.items() if name in self.by_hand}}
        needed = ESSENTIAL & _by_name(self.prepared.scenario.info.requires).keys()
        if missing := sorted(needed - versions.keys()):
            raise UsageError(f"--{side.name} {path} does not have {missing[0]}, which the test needs; add it")
        if pins.left_out:
            self.notice(
                f"--{side.name}: left out, because they are not releases of an index: {', '.join(pins.left_out)}"
            )
        return End(name=str(path), versions=versions, python=pins.python or python)

    def _python(self) -> str:
        return minor(cache.interpreter_for(self._spec).version)

    @property
    def _spec(self) -> EnvironmentSpec:
        return self.prepared.plan.cells[0].environment


def _local_of(base: BaseEnvironment | None) -> BaseEnvironment | None:
    """Of somebody's own environment what no index has: all else is in the two lists."""
    return None if base is None else replace(base, versions={}, roots=())


def _by_name(requires: Sequence[str]) -> dict[str, str]:
    """Requirements by the name of what they require."""
    return {str(canonicalize_name(Requirement(one).name)): one for one in requires}
