"""How long a run's effort will take, and afterwards which part of it was not reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.core.matrix.effort import Forecast, operations_needed
from repro.model import CellResult, CellVerdict, Effort, Plan, Until
from repro.presentation.lines import duration


def forecast_text(plan: Plan, found: Forecast) -> str:
    """``4 cells, each 30 min 00 s of load: about 900 trials, 3 h 00 min; a hang ends its cell sooner``."""
    cells = "1 cell" if len(plan.cells) == 1 else f"{len(plan.cells)} cells"
    each = ", each " if len(plan.cells) > 1 else ", "
    if found.seconds is None:
        return f"{cells}{each}{_goal(plan.effort)}; how long that takes is known after the first trial"
    speed = f" at {found.operations_s:,.0f} operations a second" if plan.effort.rule_out else ""
    trials = "1 trial" if found.trials == 1 else f"{found.trials:,} trials"
    return f"{cells}{each}{_goal(plan.effort)}: about {trials}{speed}, {duration(found.seconds)}{_sooner(plan.effort)}"


def _goal(effort: Effort) -> str:
    goals = [f"{duration(effort.soak_s)} of load"] if effort.soak_s else []
    goals += [f"{operations_needed(effort):,} operations"] if effort.rule_out else []
    most = f", in at most {effort.most_trials} trials" if effort.most_trials is not None else ""
    return " and ".join(goals) + most


def _sooner(effort: Effort) -> str:
    return "" if effort.until is Until.ALL else "; a hang ends its cell sooner"


def short_of(results: Sequence[CellResult], effort: Effort) -> list[CellResult]:
    """The clean cells that were not tried for as long as was asked."""
    return [result for result in results if result.verdict is CellVerdict.CLEAN and _is_short(result, effort)]


def _is_short(result: CellResult, effort: Effort) -> bool:
    had = result.exposure
    return had.seconds < effort.soak_s or had.operations < operations_needed(effort)


def short_sentences(results: Sequence[CellResult], effort: Effort) -> Iterator[str]:
    """The sentences for clean cells that did not reach the effort."""
    short = short_of(results, effort)
    if not short:
        return
    cells = "1 clean cell was" if len(short) == 1 else f"{len(short)} clean cells were"
    least = min(short, key=lambda result: result.exposure.operations).exposure
    yield (
        f"{cells} not tried for as long as was asked ({_goal(effort)}): the least had {duration(least.seconds)} of "
        f"load and {least.operations:,} operations; continue with --resume"
    )
