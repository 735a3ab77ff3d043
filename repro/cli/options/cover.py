"""``--cover``: chooses few cells that cover a matrix, including those of a run that is extended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from repro.cli.completion import words
from repro.cli.options.resumption import resumed_folder, typed_with
from repro.core.intervals import CONFIDENCE
from repro.errors import UsageError
from repro.model import Confirm

if TYPE_CHECKING:
    from pathlib import Path

    from repro.core.experiment.combinations import CoverRequest
    from repro.core.matrix.shards import Share
    from repro.model import Plan, StoredRun
    from repro.orchestration.preparation import Prepared
    from repro.world.runs.store import RunStore

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)

MOST_STRENGTH = 6
USUAL_CONFIRM, MOST_CONFIRM = 200, 100_000

cover_option = click.option(
    "--cover",
    metavar="T",
    callback=lambda _ctx, _param, text: _strength(text),
    shell_complete=words.one_of("2", "3"),
    help="Run only enough cells to have every combination of T levels; 2 is pairwise. "
    "With --resume, add the cells that are missing.",
)


_CONFIRM = (
    click.option(
        "--confirm",
        type=click.IntRange(0, MOST_CONFIRM),
        metavar="N",
        help="After a hang, run up to N more trials that change one factor at a time, to show which combination of "
        f"levels hangs (default: {USUAL_CONFIRM} with --cover, otherwise 0).",
    ),
    click.option(
        "--confidence",
        type=click.FloatRange(0.5, 0.9999),
        default=CONFIDENCE,
        show_default=True,
        metavar="P",
        help="How certain that combination must be.",
    ),
)


def cover_options(command: FC) -> FC:
    """Add the options that choose few cells and search for the combination that hangs."""
    for option in reversed((cover_option, *_CONFIRM)):
        command = option(command)
    return command


def confirm_of(plan: Plan, *, confirm: int | None, confidence: float) -> Confirm | None:
    """How certain the combination must be; None if it is not searched for.

    Raises:
        UsageError: it would cost requests that nobody agreed to.
    """
    uses_account = any(cell.settings["backend"] == "aws" for cell in plan.cells)
    if confirm and uses_account:
        raise UsageError("--confirm makes trials that nobody can count before: leave it out with --backend aws")
    most = confirm if confirm is not None else USUAL_CONFIRM if plan.cover and not uses_account else 0
    return Confirm(confidence=confidence, most_trials=most) if most else None


def _strength(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isdecimal() and 2 <= int(text) <= MOST_STRENGTH):
        raise UsageError(f"--cover {text}: give how many levels are combined, 2 for pairs, {MOST_STRENGTH} at most")
    return int(text)


def cover_request(strength: int | None, *, seed: int, resume: bool, out: Path | None) -> CoverRequest | None:
    """The request of ``--cover``, with the cells of a run that is continued.

    Raises:
        MissingRunError, StoreError: there is no such run, or it cannot be read.
    """
    from repro.core.experiment.combinations import CoverRequest
    from repro.world.runs.store import read_run

    if strength is None:
        return None
    stored = read_run(resumed_folder(out)) if resume else None
    done = tuple(cell.factors for cell in stored.plan.cells) if stored else ()
    return CoverRequest(strength=strength, seed=seed, done=done)


def cover_notices(plan: Plan, share: Share | None, *, jobs: int) -> Iterator[str]:
    """Notes on how many of the cells are run, how long that takes at most, and which combinations no cell can have."""
    from repro.core.matrix.effort import expected_s
    from repro.presentation.cover import cells_text, impossible_text

    if plan.cover is None:
        return
    numbers = {cell.id: plan.trials if share is None else len(share.get(cell.id, ())) for cell in plan.cells}
    seconds = None if plan.effort.is_open_ended else expected_s(plan.cells, numbers, jobs=jobs)
    yield cells_text(plan, plan.cover, trials=sum(numbers.values()), seconds=seconds)
    if plan.cover.ruled_out:
        yield impossible_text(plan.cover)


def is_extended(stored: StoredRun, plan: Plan) -> bool:
    """Whether a plan has all cells of a stored run, and more."""
    known, cells = ({cell.id for cell in one.cells} for one in (stored.plan, plan))
    return stored.shard is None and known < cells


def extend(store: RunStore, prepared: Prepared) -> None:
    """Store the cells that extend a run, and the command that runs all of it."""
    if is_extended(store.read(), prepared.plan):
        store.extend(prepared.plan, command=typed_with([], flags={"--resume"}, values=set()))
