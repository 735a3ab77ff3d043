"""The range of a bisection: a package's releases, or the days, between two bounds.

A bound that nobody gave is looked for outward from the other one; without any, from ``SINCE`` on:

    ················[good? ── bad]      see ``hunt.py``
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from packaging.utils import canonicalize_name

from repro.answer import BisectionRequest, Direction, HuntedRange
from repro.core.experiment.factors.catalogue import AS_OF, PACKAGES
from repro.errors import UnreachableError, UntestableError, UsageError
from repro.model import Cell
from repro.orchestration.hunt.probes import Candidate
from repro.orchestration.preparation import Prepared, RunRequest, prepare
from repro.world.environments.cache import interpreter_for, resolve
from repro.world.environments.releases import Release, releases, takes
from repro.world.shipped.names import root

SINCE = date(2023, 1, 1)
"""Where a hunt without any bound begins."""
FIRST_REACH = 4
"""How many releases beside a bound that was given a hunt without the other one begins with."""
NAMED_PARTS = ("locust", "boto3", "gevent", "urllib3", "botocore")


def range_of(asked: BisectionRequest, run: RunRequest) -> HuntedRange:
    """The requested range, for the environment of the only cell of ``run``.

    Raises:
        UsageError: there is none; one sentence with the next step.
        UntestableError: no release can be installed with what else was set.
    """
    return _days(asked, asked.days) if asked.days else _releases(asked, run)


def prepared_for(hunted: HuntedRange, run: RunRequest) -> Prepared:
    """The plan with exactly one cell for each level of the range.

    Raises:
        UsageError: the experiment varies something else too, or excludes some of the levels.
    """
    prefix = "" if hunted.factor == AS_OF else PACKAGES
    levels = f"{prefix}{hunted.factor}={','.join(hunted.levels)}"
    prepared = prepare(replace(run, overrides=(*run.overrides, levels)))
    if others := [name for name in prepared.plan.varied if name != hunted.factor]:
        raise UsageError(
            f"bisect varies only {hunted.factor}, but the experiment varies {', '.join(others)} too; fix each with "
            "--set NAME=LEVEL"
        )
    if len(prepared.plan.cells) != len(hunted.levels):
        raise UsageError(
            f"{prepared.plan.experiment} excludes some of the {len(hunted.levels)} cells to test; remove that exclusion"
        )
    return prepared


def candidates_of(hunted: HuntedRange, cells: Sequence[Cell]) -> list[Candidate]:
    """The candidates of the hunt, from the plan's cells."""
    return [
        Candidate(name=level, released=hunted.released[level], cell=cell)
        for level, cell in zip(hunted.levels, cells, strict=True)
    ]


# Days


def _days(asked: BisectionRequest, days: str) -> HuntedRange:
    first, sign, last = days.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        sign = ""
        begin = end = SINCE
    if not sign or begin >= end:
        raise UsageError(
            f"--date {days} is not a range; give the good day and a later bad day, such as 2023-02-15..2024-03-15"
        )
    all_days = [begin + timedelta(number) for number in range((end - begin).days + 1)]
    return HuntedRange(asked=asked, factor=AS_OF, released={day.isoformat(): day for day in all_days})


# Releases


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A package's releases from the oldest on; ``fitting`` are those that the cell's interpreter takes."""

    package: str
    releases: tuple[Release, ...]
    fitting: frozenset[str]

    @property
    def names(self) -> list[str]:
        return [str(release) for release in self.releases]


def _releases(asked: BisectionRequest, run: RunRequest) -> HuntedRange:
    if not asked.package:
        raise UsageError("nothing to bisect was given; add a PACKAGE, or --date GOOD..BAD")
    name = str(canonicalize_name(asked.package))
    known = _known(name, asked, python=_python_of(name, asked, run))
    low, high = _bounds(asked, known)
    begin, end, window = _reach(low, high, known.releases)
    if begin == end:
        raise UsageError(
            f"the index has no release beyond {known.releases[begin]} to look at; "
            "leave that bound out, or give the other"
        )
    chosen = known.releases[begin : end + 1]
    return HuntedRange(
        asked=asked, factor=name, released={str(release): release.released for release in chosen}, window=window
    )


def _python_of(name: str, asked: BisectionRequest, run: RunRequest) -> str:
    """The version of the cell's interpreter, once it is clear that the package is part of the cell's environment."""
    prepared = prepare(run)
    spec = prepared.plan.cells[0].environment
    python = interpreter_for(spec).version
    if spec.interpreter is not None:
        return python
    try:
        parts = resolve(spec)
    except UnreachableError:
        raise
    except UntestableError as error:
        if asked.pre or asked.yanked:
            return python  # it may go together with a release that nobody gets without asking for it
        raise UntestableError(f"no release of {name} can be installed with the other settings. {error}") from error
    is_own = not prepared.scenario.locustfile.is_relative_to(root().resolve())
    if name not in {*parts, *spec.pins} and not is_own:
        near = difflib.get_close_matches(name, parts, n=1)
        needs = ", ".join(one for one in NAMED_PARTS if one in parts)
        hint = f"did you mean {near[0]}?" if near else f"it installs {needs} and their dependencies"
        raise UsageError(f"{name} is not used by {prepared.plan.experiment}; {hint}")
    return python


def _known(name: str, asked: BisectionRequest, *, python: str) -> _Known:
    known = releases(name, include_prereleases=asked.pre, include_yanked=asked.yanked)
    fitting = frozenset(str(release) for release in known if takes(python, release))
    if len(fitting) < 2:
        raise UsageError(
            f"{asked.package} has {len(fitting) or 'no'} release{'' if fitting else 's'} for Python {python}, and a "
            "hunt needs two; --pre and --yanked allow more, --set python=VERSION takes another interpreter"
        )
    return _Known(package=str(asked.package), releases=known, fitting=fitting)


def _bounds(asked: BisectionRequest, known: _Known) -> tuple[int | None, int | None]:
    """The places of the older and of the newer bound among the releases, None for one that nobody gave."""
    is_bad_newer = asked.find is Direction.BAD
    first, last = (asked.good, asked.bad) if is_bad_newer else (asked.bad, asked.good)
    low = _place(first, known) if first else None
    high = _place(last, known) if last else None
    if low is None or high is None:
        return low, high
    if low == high:
        raise UsageError(f"--good and --bad are the same release, {known.releases[low]}; give two")
    if low > high:
        order = "--good must be the older one" if is_bad_newer else "with --find fixed, --bad must be the older one"
        raise UsageError(f"{first} is newer than {last}; swap --good and --bad ({order}), or see --find")
    return low, high


def _reach(low: int | None, high: int | None, known: Sequence[Release]) -> tuple[int, int, tuple[int, int] | None]:
    """The first and the last release that a hunt may come to, and where among them it begins, None for all."""
    last = len(known) - 1
    if low is not None and high is not None:
        return low, high, None
    if high is not None:
        return 0, high, (max(high - FIRST_REACH, 0), high)
    if low is not None:
        return low, last, (0, min(FIRST_REACH, last - low))
    old = [index for index, release in enumerate(known) if release.released and release.released < SINCE]
    return (old[-1] if old else 0), last, None


def _place(version: str, known: _Known) -> int:
    names, package = known.names, known.package
    if version not in names:
        near = difflib.get_close_matches(version, names, n=3)
        hint = f"choose one such as {' or '.join(near)}" if near else f"choose one from {names[0]} to {names[-1]}"
        raise UsageError(
            f"{package} {version} is not a release that can be tested (--yanked adds withdrawn ones, --pre adds "
            f"pre-releases); {hint}"
        )
    place = names.index(version)
    if version not in known.fitting:
        raise UsageError(
            f"{package} {version} needs Python {known.releases[place].requires_python}; give one that the cell's "
            "interpreter takes, or another interpreter with --set python=VERSION"
        )
    return place
