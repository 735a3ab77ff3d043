"""``--trials``, ``--until``, ``--soak``, ``--rule-out``, ``--replay``: how long a cell is tried, what is said first."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from repro.errors import UsageError
from repro.model import Effort, Until

if TYPE_CHECKING:
    from repro.model import Plan

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd]?)")
_SHARE = re.compile(r"(?P<one>\d+(?:\.\d+)?)(?:/(?P<of>\d+))?")
RAREST = 1e-9


class Duration(click.ParamType[float]):
    """A time such as ``90``, ``90s``, ``5m``, ``24h`` or ``3d``; seconds where no unit is given."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        if isinstance(value, float):
            return value
        match = _TIME.fullmatch(str(value))
        if match is None or not 0 < (seconds := float(match["number"]) * UNITS[match["unit"]]) < 1e9:
            self.fail(f"{value!r} is not a time; give one such as 90s, 5m, 24h or 3d.", param, ctx)
        return seconds


class Often(click.ParamType[float]):
    """How often something happens, such as ``1/5000`` or ``0.0002``."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Times for each operation."""
        if isinstance(value, float):
            return value
        match = _SHARE.fullmatch(str(value).replace(",", "").replace("_", ""))
        of = int((match and match["of"]) or 1)
        share = float(match["one"]) / of if match and of else 0.0
        if not RAREST <= share < 1:
            self.fail(
                f"{value!r} is not a rate; give hangs per operation, such as 1/5000 or 0.0002.",
                param,
                ctx,
            )
        return share


def effort_options(command: FC) -> FC:
    """Add the options that say how long each cell is tried."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--trials",
        type=int,
        metavar="N",
        help="Trials of each cell (default: as the experiment says); with --soak or --rule-out, the most trials.",
    ),
    click.option(
        "--until",
        type=click.Choice([one.value for one in Until]),
        default=Until.SETTLED.value,
        show_default=True,
        help="settled: a cell that hung is not tried again. all: run every trial, to measure a rate.",
    ),
    click.option(
        "--soak",
        type=Duration(),
        metavar="TIME",
        help="Load each cell for this long in total, such as 30m, or until it hangs.",
    ),
    click.option(
        "--rule-out",
        type=Often(),
        metavar="1/N",
        help="Try each cell until it hangs, or until a hang in 1 of N operations is ruled out (95 %).",
    ),
    click.option(
        "--replay",
        type=int,
        metavar="SEED",
        help="Run every trial with this seed. If it amplifies, also with each knob alone, to see which the hang needs.",
    ),
)


def effort_of(
    *, until: str, soak: float | None, rule_out: float | None, trials: int | None, replay: int | None = None
) -> Effort:
    """What the options come to.

    Raises:
        UsageError: a seed is to be replayed without an end.
    """
    if replay is not None:
        if soak or rule_out:
            raise UsageError("--replay goes with a number of --trials; leave --soak and --rule-out out")
        return Effort(until=Until.ALL, replays=replay)
    effort = Effort(until=Until(until), soak_s=soak or 0.0, rule_out=rule_out or 0.0)
    if not effort.is_open_ended:
        return effort
    return Effort(until=effort.until, soak_s=effort.soak_s, rule_out=effort.rule_out, most_trials=trials)


def check_bounded(plan: Plan) -> None:
    """Refuse an open end where each request costs money.

    Raises:
        UsageError: a cell loads a real account, and nobody said in how many trials at most.
    """
    uses_account = any(cell.settings["backend"] == "aws" for cell in plan.cells)
    if uses_account and plan.effort.is_open_ended and plan.effort.most_trials is None:
        raise UsageError("--soak and --rule-out need --trials with --backend aws: the requests are shared out to them")
