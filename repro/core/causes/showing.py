"""Whether the cells of a cause's experiment showed what its file claims: a hang that is recognised, and its cure.

by its file           ``HANGS`` must come to the cause, ``CURED`` to nothing
against the newest    ``CURED`` and ``NEWEST_CURED`` must come to nothing; ``NEWEST``, the hang's levels with the newest
                      releases, comes to what the file says of these versions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from repro.core.causes.known_causes import Cause
from repro.errors import ExitCode
from repro.model import CellResult, CellVerdict, Trial, Verdict


class Role(StrEnum):
    """What a cell is to the cause."""

    HANGS = "hangs"
    CURED = "cured"
    NEWEST = "newest"
    NEWEST_CURED = "newest-cured"


class Outcome(StrEnum):
    """What the cells showed, or one of them. All but ``AS_CLAIMED`` are news.

    ``CURE_LOST``: it hangs where the file says that it is cured; ``CAME_BACK``: with releases that the file does not
    concern. ``NOT_SEEN``: nothing where it is to hang; ``UNRECOGNISED``: something, and not by this cause.
    ``UNTESTABLE``: its environment cannot be made, or no trial told anything; ``FAILED``: this program or the backend.
    """

    AS_CLAIMED = "as-claimed"
    CURE_LOST = "cure-lost"
    CAME_BACK = "came-back"
    NOT_SEEN = "not-seen"
    UNRECOGNISED = "unrecognised"
    UNTESTABLE = "untestable"
    FAILED = "failed"


_CODES = {
    Outcome.CURE_LOST: ExitCode.HANG,
    Outcome.CAME_BACK: ExitCode.HANG,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.UNRECOGNISED: ExitCode.INCONCLUSIVE,
    Outcome.NOT_SEEN: ExitCode.INCONCLUSIVE,
    Outcome.UNTESTABLE: ExitCode.INCONCLUSIVE,
    Outcome.AS_CLAIMED: ExitCode.NO_HANG,
}
"""The exit code of each, the gravest first: a hang that nobody expected comes before all else."""


@dataclass(frozen=True)
class PartShown:
    """A cell of a cause in its role, with what it came to and what that means.

    ``seen`` trials of ``of`` that tell anything came to the cause; where it is to be cured, to anything but clean.
    """

    role: Role
    result: CellResult
    outcome: Outcome
    seen: int
    of: int


@dataclass(frozen=True)
class Showing:
    """What the cells of one cause showed, the cause's hang first; ``error`` is why they did not run to their end."""

    cause: Cause
    parts: tuple[PartShown, ...]
    error: str = ""

    @property
    def outcome(self) -> Outcome:
        """The gravest of its cells."""
        return Outcome.FAILED if self.error else gravest([part.outcome for part in self.parts])


def gravest(outcomes: Sequence[Outcome]) -> Outcome:
    """The one that counts among several; ``UNTESTABLE`` where there is none, for nothing was shown."""
    return next((outcome for outcome in _CODES if outcome in outcomes), Outcome.UNTESTABLE)


def exit_code(showings: Sequence[Showing]) -> ExitCode:
    """What a run of causes comes to for the program that called this one."""
    if any(
        trial.verdict is Verdict.INTERRUPTED for one in showings for part in one.parts for trial in part.result.trials
    ):
        return ExitCode.INTERRUPTED
    return _CODES[gravest([one.outcome for one in showings])]


def shown(cause: Cause, role: Role, result: CellResult) -> PartShown:
    """What a cell of this cause means in its role."""
    telling = [trial for trial in result.trials if trial.verdict.value in set(CellVerdict)]
    is_to_hang = role is Role.HANGS or (role is Role.NEWEST and _is_concerned(cause, result))
    if is_to_hang:
        seen = sum(_cause_of(trial) == cause.id for trial in telling)
    else:
        seen = sum(trial.verdict is not Verdict.CLEAN for trial in telling)
    outcome = _where_it_hangs(result, seen) if is_to_hang else _where_it_is_cured(role, result)
    return PartShown(role, result, outcome, seen, len(telling))


def _cause_of(trial: Trial) -> str:
    found = trial.findings.cause if trial.findings is not None else None
    return found.id if found is not None else ""


def _is_concerned(cause: Cause, result: CellResult) -> bool:
    return any(cause.concerns(trial.versions) for trial in result.trials)


def _where_it_hangs(result: CellResult, seen: int) -> Outcome:
    if seen:
        return Outcome.AS_CLAIMED
    if trouble := _trouble(result):
        return trouble
    return Outcome.NOT_SEEN if result.verdict is CellVerdict.CLEAN else Outcome.UNRECOGNISED


def _where_it_is_cured(role: Role, result: CellResult) -> Outcome:
    if result.verdict is CellVerdict.CLEAN:
        return Outcome.AS_CLAIMED
    if trouble := _trouble(result):
        return trouble
    return Outcome.CAME_BACK if role is Role.NEWEST else Outcome.CURE_LOST


def _trouble(result: CellResult) -> Outcome | None:
    """Why the cell tells nothing; None where it does."""
    verdicts = {trial.verdict for trial in result.trials}
    if result.verdict is CellVerdict.UNTESTABLE:
        return Outcome.UNTESTABLE
    if result.verdict is not CellVerdict.INCONCLUSIVE:
        return None
    return Outcome.FAILED if {Verdict.ERROR, Verdict.BACKEND} & verdicts else Outcome.UNTESTABLE
