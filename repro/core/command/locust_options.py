"""Locust's own options: which become factors, which choose the launch mode, which have no effect in a cell.

All others, custom ones among them, are handed on as they were typed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from repro.command import CommandLine
from repro.errors import UsageError

USERS, RATE, TIME = "users", "spawn_rate", "seconds"
_LEVELS = {
    "-u": USERS, "--users": USERS, "-r": RATE, "--spawn-rate": RATE, "--hatch-rate": RATE,
    "-t": TIME, "--run-time": TIME,
}  # fmt: skip
_LOCUSTFILE = frozenset({"-f", "--locustfile"})
_GLUED = re.compile(r"(?P<option>-[urtP])(?P<value>\d.*)")
_WEB_FLAGS = frozenset({"--autostart", "--web-login", "--class-picker"})
_HEADLESS = frozenset({"--headless", "--no-web"})
_WEB_VALUES = frozenset(
    {
        "-P", "--web-port", "--web-host", "--web-auth", "--web-base-path", "--tls-cert", "--tls-key", "--autoquit",
        "--web-host-display-name",
    }
)  # fmt: skip
_ROLES = frozenset({"--master", "--worker", "--slave"})
_CLUSTER_VALUES = frozenset(
    {
        "--master-host", "--master-port", "--master-bind-host", "--master-bind-port", "--expect-workers-max-wait",
        "--expect-slaves", "--master-heartbeat-timeout",
    }
)  # fmt: skip
_ENDS_AT_ONCE = frozenset({"-l", "--list", "-h", "--help", "-V", "--version", "--show-task-ratio",
                           "--show-task-ratio-json"})  # fmt: skip
_TIMESPAN = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?")


@dataclass(frozen=True, kw_only=True)
class LocustOptions:
    """What was found among the arguments; ``others`` are handed on."""

    others: tuple[str, ...] = ()
    locustfile: str = ""
    levels: Mapping[str, str | int | float] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    is_headless: bool = False


@dataclass
class _Found:
    """The same while it is being found."""

    others: list[str] = field(default_factory=list)
    locustfile: str = ""
    levels: dict[str, str | int | float] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    configs: list[str] = field(default_factory=list)
    is_headless: bool = False


def read_options(arguments: Sequence[str], *, cores: int) -> LocustOptions:
    """What the arguments of ``locust`` mean.

    Raises:
        UsageError: one cannot be used, or the command would print something and end.
    """
    found, rest = _Found(), list(arguments)
    while rest:
        _take(rest, found, cores)
    return LocustOptions(
        others=tuple(found.others),
        locustfile=found.locustfile,
        levels=found.levels,
        dropped=tuple(found.dropped),
        configs=tuple(found.configs),
        is_headless=found.is_headless,
    )


def _take(rest: list[str], found: _Found, cores: int) -> None:
    """Take the first option with its value off the rest."""
    word = rest.pop(0)
    option, value = _split(word)
    if option in _ENDS_AT_ONCE:
        raise UsageError(f"`locust {option}` prints something and ends, so there is nothing to watch; leave it out")
    if option in _LEVELS:
        found.levels[_LEVELS[option]] = level_of(_LEVELS[option], _value(option, value, rest), where=option)
    elif option in _LOCUSTFILE:
        found.locustfile = _value(option, value, rest)
    elif option in _HEADLESS:
        found.is_headless = True
    elif not _is_launch(word, rest, found, cores) and not _is_without_effect(word, rest, found):
        found.others.append(word)
        if option == "--config":
            found.configs.append(value if value is not None else (rest[0] if rest else ""))


def _is_launch(word: str, rest: list[str], found: _Found, cores: int) -> bool:
    """Whether it is about several processes, which the launch mode and its workers then stand for."""
    option, value = _split(word)
    if option in _ROLES:
        found.levels["launch"] = "distributed"
        found.dropped.append(word)
    elif option == "--processes":
        found.levels.update(_processes(_value(option, value, rest), cores))
    elif option == "--expect-workers":
        found.levels["workers"] = _count(_value(option, value, rest), where=option)
    return option in {*_ROLES, "--processes", "--expect-workers"}


def _is_without_effect(word: str, rest: list[str], found: _Found) -> bool:
    """Whether it is about the web UI or the addresses of a cluster, neither of which a cell has as it was typed."""
    option, value = _split(word)
    if option in _WEB_FLAGS:
        found.dropped.append(word)
    elif option in _WEB_VALUES | _CLUSTER_VALUES:
        found.dropped += [option, _value(option, value, rest)]
    return option in _WEB_FLAGS | _WEB_VALUES | _CLUSTER_VALUES


def _split(word: str) -> tuple[str, str | None]:
    """An option and the value that is written in one word with it."""
    if word.startswith("--") and "=" in word:
        option, _, value = word.partition("=")
        return option, value
    glued = _GLUED.fullmatch(word)
    return (glued["option"], glued["value"]) if glued else (word, None)


def _value(option: str, value: str | None, rest: list[str]) -> str:
    if value is not None:
        return value
    if not rest:
        raise UsageError(f"the command's {option} has no value; give one, or leave it out")
    return rest.pop(0)


def level_of(factor: str, value: str, *, where: str) -> int | float:
    """The level that a value of Locust's stands for; times are Locust's, such as ``90``, ``90s`` or ``1h30m``."""
    if factor == TIME:
        return _seconds(value, where=where)
    if factor == USERS:
        return _count(value, where=where)
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"the command's {where} cannot be {value!r}; give a number") from None
    return int(number) if number == int(number) else number


def _seconds(value: str, *, where: str) -> int:
    if value.isdigit():
        return int(value)
    match = _TIMESPAN.fullmatch(value)
    if not value or match is None:
        raise UsageError(f"the command's {where} cannot be {value!r}; give a time such as 90, 90s, 5m or 1h30m")
    hours, minutes, seconds = (int(match[unit] or 0) for unit in "hms")
    return hours * 3600 + minutes * 60 + seconds


def _count(value: str, *, where: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"the command's {where} cannot be {value!r}; give a whole number") from None


def _processes(value: str, cores: int) -> dict[str, str | int | float]:
    count = _count(value, where="--processes")
    return {"launch": "processes", "workers": cores if count < 0 else max(count, 1)}


# Locust's files and variables


_OF_SETTINGS = {
    "users": USERS, "spawn-rate": RATE, "hatch-rate": RATE, "run-time": TIME,
}  # fmt: skip
_OF_VARIABLES = {
    "LOCUST_USERS": "users", "LOCUST_SPAWN_RATE": "spawn-rate", "LOCUST_HATCH_RATE": "hatch-rate",
    "LOCUST_RUN_TIME": "run-time", "LOCUST_HEADLESS": "headless", "LOCUST_LOCUSTFILE": "locustfile",
    "LOCUST_PROCESSES": "processes", "LOCUST_MODE_MASTER": "master", "LOCUST_MODE_WORKER": "worker",
    "LOCUST_EXPECT_WORKERS": "expect-workers",
}  # fmt: skip
_SWITCHED_ON = frozenset({"true", "yes", "1", "on"})
_LINE = re.compile(r"(?P<key>[^:=;#\s]+)\s*(?:[:=\s]\s*(?P<value>.*?))?\s*(?:\s[;#].*)?")


def settings_in(text: str) -> dict[str, str]:
    """The settings of a ``locust.conf``, by the options' long names: ``key = value``, ``key: value`` or ``key``."""
    found = {}
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#;[" or stripped.startswith("---"):
            continue
        if match := _LINE.fullmatch(stripped):
            found[match["key"].replace("_", "-")] = (match["value"] or "true").strip("\"'")
    return found


def settings_in_toml(text: str) -> dict[str, str]:
    """The same of ``[tool.locust]`` of a pyproject.toml; none where it is not TOML."""
    try:
        section = tomllib.loads(text).get("tool", {}).get("locust", {})
    except (tomllib.TOMLDecodeError, AttributeError):
        return {}
    return {str(key).replace("_", "-"): str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in section.items()}  # fmt: skip


def settings_of_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The same of Locust's variables in the shell."""
    return {setting: variables[name] for name, setting in _OF_VARIABLES.items() if variables.get(name)}


def completed(command: CommandLine, settings: Mapping[str, str], *, cores: int) -> CommandLine:
    """The command with what Locust's files and variables say where its own options say nothing.

    Raises:
        UsageError: one of them cannot be used.
    """
    levels: dict[str, str | int | float] = {factor: level_of(factor, settings[key], where=key)
              for key, factor in _OF_SETTINGS.items() if key in settings}  # fmt: skip
    levels.update(_launch(settings, cores))
    return replace(
        command,
        levels={**levels, **command.levels},
        is_headless=command.is_headless or _is_on(settings, "headless"),
        is_timed_by_file="run-time" in settings,
    )


def _launch(settings: Mapping[str, str], cores: int) -> dict[str, str | int | float]:
    workers = (
        {"workers": _count(settings["expect-workers"], where="expect-workers")} if "expect-workers" in settings else {}
    )
    if "processes" in settings:
        return _processes(settings["processes"], cores)
    if _is_on(settings, "master") or _is_on(settings, "worker"):
        return {"launch": "distributed", **workers}
    return {}


def _is_on(settings: Mapping[str, str], name: str) -> bool:
    return settings.get(name, "").lower() in _SWITCHED_ON
