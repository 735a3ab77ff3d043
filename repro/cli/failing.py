"""``--fail-on``: which cells' verdicts make the exit code of a run, or of a report of one, other than 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from repro.errors import ExitCode, UsageError
from repro.model import Verdict

if TYPE_CHECKING:
    from repro.model import StoredRun

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)
CODES = {
    "hang": ExitCode.HANG,
    "crash": ExitCode.HANG,
    "failing": ExitCode.HANG,
    "untestable": ExitCode.INCONCLUSIVE,
    "inconclusive": ExitCode.INCONCLUSIVE,
}
USUAL = ("hang", "untestable", "inconclusive")


def fail_on_option(default: str) -> Callable[[FC], FC]:
    """The option; ``default`` says in its help what is so when it is left out."""
    return click.option(
        "--fail-on",
        metavar="VERDICT[,VERDICT…]",
        help=f"The cells' verdicts that make the exit code other than 0; {default} when left out.",
    )


def verdicts(text: str | None) -> tuple[str, ...]:
    """The verdicts of the option's text; the usual ones when it was left out.

    Raises:
        UsageError: one of them is none of a cell's that can fail.
    """
    if text is None:
        return USUAL
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in CODES:
            raise UsageError(f"--fail-on {name}: it takes {', '.join(CODES)}")
    return names


def exit_code(run: StoredRun, fail_on: tuple[str, ...]) -> ExitCode:
    """What the program says by its exit code: a run that is not whole, a hang, its own or the backend's fault, the rest."""
    trials = {trial.verdict for cell in run.cells for trial in cell.trials}
    cells = {cell.verdict.value for cell in run.cells}
    if Verdict.INTERRUPTED in trials:
        return ExitCode.INTERRUPTED
    if "hang" in cells and "hang" in fail_on:
        return ExitCode.HANG
    if {Verdict.BACKEND, Verdict.ERROR} & trials:
        return ExitCode.FAILED
    return next((CODES[name] for name in fail_on if name in cells), ExitCode.NO_HANG)
