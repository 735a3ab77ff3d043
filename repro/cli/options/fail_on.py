"""``--fail-on``: which cells' verdicts make the exit code of a run, or of a report of one, other than 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from repro.cli.completion import words
from repro.errors import ExitCode, UsageError
from repro.model import CellVerdict

if TYPE_CHECKING:
    from repro.model import StoredRun

NONE = "none"
"""No verdict does: the exit code only says whether the program did its work."""
FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)


def fail_on_option(default: str) -> Callable[[FC], FC]:
    """The option; ``default`` says in its help what is so when it is left out."""
    return click.option(
        "--fail-on",
        metavar="VERDICT[,VERDICT…]",
        shell_complete=words.listed(*(verdict for verdict in CellVerdict if verdict is not CellVerdict.CLEAN), NONE),
        help=f"Which verdicts of a cell make the exit code non-zero, or none (default: {default}).",
    )


def verdicts(text: str | None) -> tuple[CellVerdict, ...]:
    """The verdicts of the option's text; the usual ones when it was left out.

    Raises:
        UsageError: one of them is none of a cell's that can fail.
    """
    from repro.core.matrix.cells import FAILING_CODES, USUALLY_FAILING

    if text is None:
        return USUALLY_FAILING
    if text.strip() == NONE:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in set(FAILING_CODES):
            raise UsageError(f"--fail-on {name}: unknown verdict; choose {', '.join(FAILING_CODES)} or none")
    return tuple(CellVerdict(name) for name in names)


def exit_code(run: StoredRun, fail_on: tuple[CellVerdict, ...]) -> ExitCode:
    """What the program says by its exit code."""
    from repro.core.matrix import cells

    trials = {trial.verdict for cell in run.cells for trial in cell.trials}
    return cells.exit_code({cell.verdict for cell in run.cells}, trials, fail_on=fail_on)
