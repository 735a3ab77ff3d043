"""The factors: what an experiment can vary, their types, defaults and accepted levels.

A name is, in this order: a setting of the table below or of the scenario, ``stack``, ``python``, ``as_of``,
``env.NAME``, or the name of a distribution; ``packages.NAME`` is a distribution whatever it looks like.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro.core.experiment.faults import check as check_fault
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


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A factor: its name, the type of its levels, the default, the accepted values of a choice, bounds of a number."""

    name: str
    kind: LevelType
    help: str
    default: Level = ""
    values: tuple[str, ...] = ()
    least: float = 0.0
    most: float = float("inf")
    check: Callable[[str], None] | None = None


SETTINGS = {
    factor.name: factor
    for factor in (
        Factor(name="client", kind=LevelType.CHOICE, default="per-iteration", values=("shared", "per-user", "per-iteration"), help="where the boto3 resource is made: once, in on_start, in every task"),
        Factor(name="queue_lookup", kind=LevelType.CHOICE, default="every-iteration", values=("on-start", "every-iteration"), help="when the queue is looked up by its name"),
        Factor(name="import_order", kind=LevelType.CHOICE, default="locust-first", values=("locust-first", "boto3-first"), help="which of the two the scenario imports first"),
        Factor(name="launch", kind=LevelType.CHOICE, default="cli", values=("cli", "library", "process", "spawn", "distributed", "script"), help="how Locust is started: command, library, library in a forked or spawned process, master and workers, not at all"),
        Factor(name="workers", kind=LevelType.COUNT, default=2, least=1, most=64, help="workers under launch=distributed"),
        Factor(name="connect_timeout", kind=LevelType.NUMBER, default=60, least=0.001, help="seconds that botocore waits for a connection"),
        Factor(name="read_timeout", kind=LevelType.NUMBER, default=60, least=0.001, help="seconds that botocore waits for an answer"),
        Factor(name="max_attempts", kind=LevelType.COUNT, default=5, least=1, most=100, help="attempts of a call in all, the first included"),
        Factor(name="retry_mode", kind=LevelType.CHOICE, default="legacy", values=("legacy", "standard", "adaptive"), help="botocore's retry mode"),
        Factor(name="tcp_keepalive", kind=LevelType.SWITCH, default=False, help="whether botocore's connections send keep-alive probes"),
        Factor(name="max_pool_connections", kind=LevelType.COUNT, default=10, least=1, help="connections that a client keeps"),
        Factor(name="wait_time_seconds", kind=LevelType.COUNT, default=0, most=20, help="seconds of a long poll, SQS's WaitTimeSeconds"),
        Factor(name="users", kind=LevelType.COUNT, default=200, least=1, most=20000, help="users of the load"),
        Factor(name="spawn_rate", kind=LevelType.NUMBER, default=0, help="users started a second; 0 starts all at once"),
        Factor(name="seconds", kind=LevelType.NUMBER, default=8, least=1, most=86400, help="seconds of load"),
        Factor(name="think_time", kind=LevelType.NUMBER, default=0, help="seconds that a user waits between two tasks"),
        Factor(name="messages", kind=LevelType.COUNT, default=10, most=20000, help="messages in the queue when a trial begins"),
        Factor(name="backend", kind=LevelType.CHOICE, default="moto", values=("moto", "ministack", "endpoint", "aws"), help="the SQS behind it all"),
        Factor(name="tls", kind=LevelType.SWITCH, default=False, help="whether the client speaks HTTPS, to a certificate made for the run"),
        Factor(name="fault", kind=LevelType.TEXT, default="", check=check_fault, help="a fault between client and backend, such as latency:500; `repro list faults` shows all"),
    )
}  # fmt: skip

LOCUSTFILES_BUSINESS = frozenset(
    {
        "client",
        "queue_lookup",
        "import_order",
        "connect_timeout",
        "read_timeout",
        "max_attempts",
        "retry_mode",
        "tcp_keepalive",
        "max_pool_connections",
        "wait_time_seconds",
        "think_time",
    }
)
"""Settings that act only through a locustfile that reads them; all others act on any."""

STACK, PYTHON, AS_OF = "stack", "python", "as_of"
ENV, PACKAGES = "env.", "packages."
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
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def settings_of(own: Mapping[str, Factor]) -> dict[str, Factor]:
    """All settings of a scenario: the table's and its own."""
    return {**SETTINGS, **own}


def canonical(name: str, settings: Mapping[str, Factor], *, where: str) -> str:
    """The factor's one name: distributions are normalised, ``packages.`` goes.

    Raises:
        ExperimentError: it looks like a slip of the pen; says what was probably meant.
    """
    if name in settings or name in {STACK, PYTHON, AS_OF} or (name.startswith(ENV) and len(name) > len(ENV)):
        return name
    if name.startswith(PACKAGES):
        normal = str(canonicalize_name(name.removeprefix(PACKAGES)))
        if not is_package(normal, settings):
            raise ExperimentError(
                f"{where}: {normal} is a factor of its own, and no distribution of that name can be varied; write {normal}"
            )
        return normal
    normal = str(canonicalize_name(name))
    if normal in WELL_KNOWN:
        return normal
    near = difflib.get_close_matches(name, [*settings, STACK, PYTHON, AS_OF, *WELL_KNOWN], n=1, cutoff=NEAR)
    near = near or difflib.get_close_matches(name.replace("-", "_"), [*settings], n=1, cutoff=NEAR)
    if near:
        raise ExperimentError(
            f"{where}: there is no factor {name!r}, did you mean {near[0]}? (packages.{name} if it is a distribution; `repro list factors` shows all)"
        )
    if not normal or not all(part.isalnum() for part in normal.split("-")):
        raise ExperimentError(
            f"{where}: {name!r} is no factor and no name of a distribution; `repro list factors` shows all"
        )
    return normal


def is_package(name: str, settings: Mapping[str, Factor]) -> bool:
    """Whether a canonical name is a distribution's."""
    return name not in settings and name not in {STACK, PYTHON, AS_OF} and not name.startswith(ENV)


def level(name: str, value: Any, settings: Mapping[str, Factor], *, where: str) -> Level:
    """The level as its factor's type; text from the command line is read.

    Raises:
        ExperimentError: not a level of this factor; names the accepted values.
    """
    factor = settings.get(name) or _implied(name)
    try:
        return _READERS[factor.kind](value, factor)
    except (ValueError, TypeError, OverflowError, InvalidVersion) as error:
        takes = str(error) if factor.check is not None else f"{accepted(factor)}{_suggestion(value, factor)}"
        raise ExperimentError(f"{where}: {value!r} is no level of {name}; {takes}") from None


def accepted(factor: Factor) -> str:
    """The accepted levels in words."""
    if factor.kind is LevelType.CHOICE:
        return f"it takes {', '.join(factor.values)}"
    if factor.kind in {LevelType.COUNT, LevelType.NUMBER}:
        most = f" to {factor.most:g}" if factor.most != float("inf") else " or more"
        return f"it takes a {factor.kind}, {factor.least:g}{most}"
    if factor.kind is LevelType.SWITCH:
        return f"it takes {factor.kind}"
    examples = {LevelType.VERSION: "such as 2.24.0", LevelType.DAY: "such as 2024-03-15", LevelType.TEXT: ""}
    return f"it takes a {factor.kind} {examples[factor.kind]}".rstrip()


def _implied(name: str) -> Factor:
    if name == AS_OF:
        return Factor(name=name, kind=LevelType.DAY, help="everything that is not pinned as it was on this day")
    if name == PYTHON:
        return Factor(name=name, kind=LevelType.VERSION, help="the interpreter")
    if name.startswith(ENV) or name == STACK:
        return Factor(name=name, kind=LevelType.TEXT, help="")
    return Factor(name=name, kind=LevelType.VERSION, help="a distribution's version")


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
    """As it was written, for a version has its own order and 3.10 is no number; empty or latest leave it free."""
    if not isinstance(value, str):
        raise TypeError(value)
    if value in {"", "latest"}:
        return ""
    return str(Version(value))


def _day(value: Any, _: Factor) -> Level:
    if isinstance(value, datetime):
        raise TypeError(value)
    return value.isoformat() if isinstance(value, date) else date.fromisoformat(str(value)).isoformat() if value else ""


_READERS: dict[LevelType, Callable[[Any, Factor], Level]] = {
    LevelType.TEXT: _text,
    LevelType.CHOICE: _choice,
    LevelType.COUNT: _count,
    LevelType.NUMBER: _number,
    LevelType.SWITCH: _switch,
    LevelType.VERSION: _version,
    LevelType.DAY: _day,
}


def _suggestion(value: Any, factor: Factor) -> str:
    near = difflib.get_close_matches(str(value), factor.values, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def defaults(settings: Iterable[Factor]) -> dict[str, Level]:
    """The default level of each setting."""
    return {factor.name: factor.default for factor in settings}
