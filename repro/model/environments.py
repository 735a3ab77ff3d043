"""The packages that a cell runs with: what is wanted, what they are built on, what was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class BaseEnvironment:
    """Somebody's own environment, which others are made from: of the same releases but for what is asked for.

    ``versions`` maps the normalised names of what an index has to versions; ``roots`` are those that nothing else
    needs. ``local`` are the distributions that no index has, editable and local ones, each with a digest of what is
    installed.
    """

    interpreter: Path
    python: str
    versions: Mapping[str, str] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    local: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """What was asked of an environment; its hash is the environment's key.

    ``pins``         a normalised distribution name to an exact version
    ``requires``     the scenario's own requirements, whatever the pins say (PEP 508)
    ``constraints``  which versions are allowed of packages that only other packages need (PEP 508)
    ``as_of``        the day on which everything without a pin is resolved
    ``python``       a version such as ``3.11``; empty for the default
    ``interpreter``  an existing environment that is used unchanged; nothing else counts then
    ``base``         an environment that gives all that is not stated: the interpreter, the releases as far as the pins
                     allow them, and the packages that no index has
    """

    python: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    as_of: date | None = None
    interpreter: Path | None = None
    base: BaseEnvironment | None = None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment that exists: its interpreter and what is installed in it.

    ``versions`` maps normalised distribution names to versions; ``python`` is the full version of
    the interpreter, ``3.11.7``.
    """

    key: str
    interpreter: Path
    python: str
    versions: Mapping[str, str]
