"""The catalogue: every setting that an experiment of a scenario may name, and what any other name means.

A name is, in this order: a setting, ``stack``, ``python``, ``as_of``, ``env.NAME``, or the name of a distribution;
``packages.NAME`` is a distribution whatever it looks like.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from packaging.utils import canonicalize_name

from repro.core.experiment.factors.factor import Factor, LevelType, Reader
from repro.core.experiment.factors.settings import SETTINGS
from repro.errors import ExperimentError
from repro.model import Level

STACK, PYTHON, AS_OF = "stack", "python", "as_of"
ENV, PACKAGES = "env.", "packages."
NO_SETTINGS = {
    STACK: Factor(
        name=STACK,
        kind=LevelType.TEXT,
        takes="a name of the experiment's [stacks]",
        help="a bundle of packages, settings and a day",
    ),
    PYTHON: Factor(
        name=PYTHON,
        kind=LevelType.VERSION,
        takes="a version such as 3.11",
        help="the cell's interpreter, found where it is installed",
    ),
    AS_OF: Factor(
        name=AS_OF,
        kind=LevelType.DAY,
        help="everything that is not pinned as it was on that day",
    ),
}
"""Factors of every experiment that are neither a setting nor a distribution."""
VARIABLE = Factor(
    name=f"{ENV}NAME",
    kind=LevelType.TEXT,
    help="an environment variable of the cell",
)
DISTRIBUTION = Factor(
    name="<distribution>",
    kind=LevelType.VERSION,
    help="locust, gevent, urllib3, boto3 or any other package",
)
WELL_KNOWN = (
    "locust",
    "gevent",
    "urllib3",
    "boto3",
    "botocore",
    "greenlet",
    "requests",
    "configargparse",
    "geventhttpclient",
)
NEAR = 0.8


@dataclass(frozen=True)
class Catalogue:
    """The settings of a scenario, and by them what each name and each level of an experiment is."""

    settings: tuple[Factor, ...] = SETTINGS

    @cached_property
    def by_name(self) -> Mapping[str, Factor]:
        """The settings by their names, in the catalogue's order."""
        return {factor.name: factor for factor in self.settings}

    @cached_property
    def defaults(self) -> Mapping[str, Level]:
        """The default level of each setting."""
        return {factor.name: factor.default for factor in self.settings}

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __iter__(self) -> Iterator[Factor]:
        return iter(self.settings)

    def extended(self, own: Collection[Factor]) -> Catalogue:
        """The catalogue with a scenario's own settings; one that is known already is replaced."""
        return Catalogue(tuple({**self.by_name, **{factor.name: factor for factor in own}}.values()))

    def names(self, is_meant: Callable[[Factor], bool]) -> frozenset[str]:
        """The settings of which a fact is true."""
        return frozenset(factor.name for factor in self.settings if is_meant(factor))

    @property
    def of_locustfiles(self) -> frozenset[str]:
        """The settings that act only through a locustfile that reads them; all others act on any."""
        return self.names(lambda factor: factor.read_by is Reader.LOCUSTFILE)

    @property
    def of_waits(self) -> frozenset[str]:
        """The settings that bear on how long an operation may wait."""
        return self.names(lambda factor: factor.decides_waits)

    def canonical(self, name: str, *, where: str) -> str:
        """The factor's one name: distributions are normalised, ``packages.`` goes.

        Raises:
            ExperimentError: it looks like a slip of the pen; says what was probably meant.
        """
        if name in self or name in NO_SETTINGS or (name.startswith(ENV) and len(name) > len(ENV)):
            return name
        if name.startswith(PACKAGES):
            return self._distribution(name.removeprefix(PACKAGES), where)
        normal = str(canonicalize_name(name))
        if normal in WELL_KNOWN:
            return normal
        if near := self._near(name):
            raise ExperimentError(
                f"{where}: unknown factor {name!r}, did you mean {near}? (packages.{name} for a distribution of that "
                f"name; "
                "`repro list factors` shows all)"
            )
        if not normal or not all(part.isalnum() for part in normal.split("-")):
            raise ExperimentError(
                f"{where}: {name!r} is neither a factor nor the name of a distribution; `repro list factors` shows all"
            )
        return normal

    def is_package(self, name: str) -> bool:
        """Whether a canonical name is a distribution's."""
        return name not in self and name not in NO_SETTINGS and not name.startswith(ENV)

    def is_built(self, name: str) -> bool:
        """Whether a factor is of the environment, which an interpreter that is given brings ready."""
        return self.is_package(name) or name in {PYTHON, AS_OF}

    def factor(self, name: str) -> Factor:
        """The factor of a canonical name: a setting, or what the name makes it."""
        known = self.by_name.get(name) or NO_SETTINGS.get(name)
        return known or replace(VARIABLE if name.startswith(ENV) else DISTRIBUTION, name=name)

    def level(self, name: str, value: Any, *, where: str) -> Level:
        """The level as its factor's type; text from the command line is read.

        Raises:
            ExperimentError: not a level of this factor; names the accepted values.
        """
        return self.factor(name).level(value, where=where)

    def assigned(self, name: str) -> str:
        """A canonical name as ``--set`` takes it for sure: a distribution's may look like a slip."""
        return f"{PACKAGES}{name}" if self.is_package(name) and name not in WELL_KNOWN else name

    def setting(self, name: str, *, where: str) -> str:
        """The name of a setting.

        Raises:
            ExperimentError: there is none of this name; says which was probably meant, else all.
        """
        if name in self:
            return name
        near = difflib.get_close_matches(name, self.by_name, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(self.by_name)}"
        raise ExperimentError(f"{where}: unknown setting; {hint}")

    def _distribution(self, name: str, where: str) -> str:
        normal = str(canonicalize_name(name))
        if not self.is_package(normal):
            raise ExperimentError(
                f"{where}: {normal} is a factor, so a distribution of that name cannot be varied; write {normal}"
            )
        return normal

    def _near(self, name: str) -> str:
        """The name that was probably meant, else nothing."""
        known = [*self.by_name, STACK, PYTHON, AS_OF, *WELL_KNOWN]
        near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
        near = near or difflib.get_close_matches(name.replace("-", "_"), self.by_name, n=1, cutoff=NEAR)
        return near[0] if near else ""


COMMON = Catalogue()
"""The settings that every scenario has."""
