"""A factor: its name, which levels it takes, and every other fact about it, so that no list beside it names any."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from packaging.version import InvalidVersion, Version

from repro.errors import ExperimentError
from repro.model import Level


class LevelType(StrEnum):
    """The type of a factor's levels."""

    TEXT = "text"
    CHOICE = "choice"
    COUNT = "whole number"
    NUMBER = "number"
    SWITCH = "true or false"
    VERSION = "version"
    DAY = "day"


class Reader(StrEnum):
    """Who acts on a setting."""

    PROGRAM = "program"
    """This program and its agent: it acts on any locustfile."""
    LOCUSTFILE = "locustfile"
    """Nobody, unless the locustfile reads it."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A factor: its name, the type of its levels, the default, the accepted values of a choice, bounds of a number.

    ``takes`` says in words what it takes, where type, values and bounds do not. Of a text, ``check`` refuses what it
    cannot be, and ``pattern`` is what an editor can know of that.
    ``read_by`` acts on it; ``decides_waits`` says whether it bears on how long an operation may wait. ``botocore`` is
    where botocore's ``Config`` takes it, such as ``read_timeout`` or ``retries.mode``.
    The last two are about an exported file: ``plain`` is the level that its reader expects, so that another stays only
    where the hang needs it; ``in_one_file`` are the levels that one file can show, None where any level can.
    """

    name: str
    kind: LevelType
    help: str
    default: Level = ""
    values: tuple[str, ...] = ()
    least: float = 0.0
    most: float = float("inf")
    check: Callable[[str], None] | None = None
    pattern: str = ""
    takes: str = ""
    read_by: Reader = Reader.PROGRAM
    decides_waits: bool = False
    botocore: str = ""
    plain: Level | None = None
    in_one_file: tuple[Level, ...] | None = None

    def level(self, value: Any, *, where: str) -> Level:
        """The level as the factor's type; text from the command line is read.

        Raises:
            ExperimentError: not a level of this factor; names the accepted values.
        """
        try:
            return _READERS[self.kind](value, self)
        except (ValueError, TypeError, OverflowError, InvalidVersion) as error:
            takes = str(error) if self.check is not None else f"{self.accepted}{self._suggestion(value)}"
            raise ExperimentError(f"{where}: {self.name} cannot be {value!r}; {takes}") from None

    @property
    def accepted(self) -> str:
        """The accepted levels in words."""
        if self.takes:
            return f"it takes {self.takes}"
        if self.kind is LevelType.CHOICE:
            *others, last = self.values
            return f"choose {', '.join(others)} or {last}"
        if self.kind in {LevelType.COUNT, LevelType.NUMBER}:
            most = f" to {self.most:g}" if self.most != float("inf") else " or more"
            return f"it takes a {self.kind}, {self.least:g}{most}"
        if self.kind is LevelType.SWITCH:
            return f"it takes {self.kind}"
        examples = {LevelType.VERSION: "such as 2.24.0", LevelType.DAY: "such as 2024-03-15", LevelType.TEXT: ""}
        return f"it takes a {self.kind} {examples[self.kind]}".rstrip()

    def _suggestion(self, value: Any) -> str:
        near = difflib.get_close_matches(str(value), self.values, n=1)
        return f"; did you mean {near[0]}?" if near else ""


_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def _text(value: Any, factor: Factor) -> Level:
    if not isinstance(value, str | int | float | date):
        raise TypeError(f"it takes a text, not a {type(value).__name__}")
    text = str(value)
    if factor.check is not None:
        factor.check(text)
    return text


def _choice(value: Any, factor: Factor) -> Level:
    if str(value) not in factor.values:
        raise ValueError(value)
    return str(value)


def _count(value: Any, factor: Factor) -> Level:
    number = _number(value, factor)
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _number(value: Any, factor: Factor) -> int | float:
    if isinstance(value, bool):
        raise TypeError(value)
    number = float(value)
    if not factor.least <= number <= factor.most:
        raise ValueError(value)
    return int(number) if number == int(number) else number


def _switch(value: Any, _: Factor) -> Level:
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(value)
    return text in _TRUE


def _version(value: Any, _: Factor) -> Level:
    """As it was written, for a version has its own order and 3.10 is not a number; empty or latest leave it free."""
    if not isinstance(value, str):
        raise TypeError(value)
    if value in {"", "latest"}:
        return ""
    return str(Version(value))


def _day(value: Any, _: Factor) -> Level:
    if isinstance(value, datetime):
        raise TypeError(value)
    if isinstance(value, date):
        return value.isoformat()
    return date.fromisoformat(str(value)).isoformat() if value else ""


_READERS: dict[LevelType, Callable[[Any, Factor], Level]] = {
    LevelType.TEXT: _text,
    LevelType.CHOICE: _choice,
    LevelType.COUNT: _count,
    LevelType.NUMBER: _number,
    LevelType.SWITCH: _switch,
    LevelType.VERSION: _version,
    LevelType.DAY: _day,
}
