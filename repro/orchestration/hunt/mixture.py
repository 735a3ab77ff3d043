"""Environments between a good and a bad one: some packages from the bad side, all others as on the good side.

    package                      from the good side        from the bad side
    newer on the bad side        ==GOOD                    >=GOOD,<=BAD: as far up as the others let it
    older on the bad side        ==GOOD                    ==BAD
    only on the bad side         BAD, if another needs it  ==BAD
    only on the good side        ==GOOD                    GOOD, if another needs it
    the interpreter              the good side's           the bad side's

A package that is taken as far as the others let it is tried nearly always; pinned to the bad side's very release it
mostly could not be installed with the others' older releases.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from packaging.version import Version

from repro.answer import End, VersionChange
from repro.core.search.reduction import Packages
from repro.errors import UntestableError
from repro.model import BaseEnvironment, Cell, EnvironmentSpec
from repro.world.environments.cache import resolve

PYTHON = "python"
ID_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class PackageChange(VersionChange):
    """A package that differs, and how it is asked for on either side."""

    def taken(self) -> tuple[str | None, str | None]:
        """The requirement and the constraint when it is taken from the bad side."""
        if self.bad is None:
            return None, f"{self.package}=={self.good}"
        if self.good is None or Version(self.bad) < Version(self.good):
            return f"{self.package}=={self.bad}", None
        return f"{self.package}>={self.good},<={self.bad}", None

    def left(self) -> tuple[str | None, str | None]:
        """The requirement and the constraint when it stays as on the good side."""
        return (None, f"{self.package}=={self.bad}") if self.good is None else (f"{self.package}=={self.good}", None)


@dataclass(frozen=True, kw_only=True)
class Mixer:
    """Makes cells between two ends, all like ``cell`` but for the environment.

    ``newest`` is the day beyond which no release is taken, ``fixed`` the packages that somebody pinned on both sides,
    ``requires`` what the scenario needs besides (PEP 508). ``base`` brings what no index has.
    """

    cell: Cell
    good: End
    bad: End
    fixed: Mapping[str, str]
    requires: tuple[str, ...] = ()
    newest: date | None = None
    base: BaseEnvironment | None = None

    @cached_property
    def changes(self) -> Mapping[str, PackageChange]:
        """What differs, by package; ``python`` is the interpreter."""
        names = sorted({*self.good.versions, *self.bad.versions} - {*self.fixed})
        changes = {
            name: PackageChange(package=name, good=self.good.versions.get(name), bad=self.bad.versions.get(name))
            for name in names
            if self.good.versions.get(name) != self.bad.versions.get(name)
        }
        if self.good.python != self.bad.python:
            changes[PYTHON] = PackageChange(package=PYTHON, good=self.good.python, bad=self.bad.python)
        return changes

    def mixed(self, packages: Packages) -> Cell:
        """The cell with ``packages`` from the bad side, its environment pinned; sets that come to the same share one.

        Raises:
            UntestableError: they cannot be installed together; the resolver's own words.
        """
        spec = self._asked(packages, {})
        pinned = EnvironmentSpec(python=spec.python, pins=dict(resolve(spec)), base=self.base)
        return self._cell(pinned, self._label(packages, pinned.pins))

    def candidate(self, packages: Packages, package: str, release: str) -> Cell:
        """The cell with ``packages`` from the bad side and one of them at a release; see ``pinned``."""
        return self._cell(self._asked(packages, {package: release}), _release_label(package, release))

    def pinned(self, cell: Cell) -> Cell:
        """A candidate with all its packages pinned; as it is where they cannot be, for its trial then says why."""
        if not cell.environment.requires:
            return cell
        with contextlib.suppress(UntestableError):
            spec = replace(
                cell.environment, pins=dict(resolve(cell.environment)), requires=(), constraints=(), as_of=None
            )
            return replace(cell, environment=spec, factors={**cell.factors, **spec.pins})
        return cell

    def _cell(self, spec: EnvironmentSpec, label: str) -> Cell:
        text = json.dumps([self.cell.id, spec.python, dict(spec.pins), spec.requires], sort_keys=True)
        return replace(
            self.cell,
            id=hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS],
            label=label,
            named=(),
            factors={**self.cell.factors, **spec.pins, PYTHON: spec.python},
            environment=spec,
        )

    def _asked(self, packages: Packages, at: Mapping[str, str]) -> EnvironmentSpec:
        moved = [
            change.taken() if name in packages else change.left()
            for name, change in self.changes.items()
            if name != PYTHON and name not in at
        ]
        same = [
            f"{name}=={version}"
            for name, version in self.good.versions.items()
            if name not in self.changes and name not in self.fixed
        ]
        return EnvironmentSpec(
            python=self.bad.python if PYTHON in packages else self.good.python,
            pins={**self.fixed, **at},
            requires=tuple(sorted([*self.requires, *same, *(wanted for wanted, _ in moved if wanted)])),
            constraints=tuple(sorted(limit for _, limit in moved if limit)),
            as_of=self.newest,
            base=self.base,
        )

    def _label(self, packages: Packages, pinned: Mapping[str, str]) -> str:
        """The side that it is nearer to, and what differs from it."""
        if not packages:
            return "good"
        if packages == frozenset(self.changes):
            return "bad"
        is_nearer_bad = len(packages) > len(self.changes) / 2
        name, side = ("bad", self.bad) if is_nearer_bad else ("good", self.good)
        before = {**side.versions, PYTHON: side.python}
        now = {**pinned, PYTHON: self.bad.python if PYTHON in packages else self.good.python}
        shown = [
            f"{package}={now.get(package, 'none')}"
            for package in self.changes
            if before.get(package) != now.get(package)
        ]
        return f"{name}, but {' '.join(shown)}" if shown else f"{name}, for nothing else can be installed"


def release_of(cell: Cell) -> str | None:
    """The release that a candidate's cell is of; None for a cell of a set, which is of none more than of others."""
    pins = cell.environment.pins.items()
    return next((version for package, version in pins if cell.label == _release_label(package, version)), None)


def _release_label(package: str, release: str) -> str:
    return f"{package}={release}"
