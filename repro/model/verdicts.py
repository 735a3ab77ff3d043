"""What a trial and a cell came to, and how a trial hung."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a trial came to. Only ``CLEAN`` and ``HANG`` count in a rate.

    ``INCONCLUSIVE``: it did nothing any more and had not ended, and what was seen of it does not show why.
    """

    CLEAN = "clean"
    HANG = "hang"
    CRASH = "crash"
    FAILING = "failing"
    UNTESTABLE = "untestable"
    BACKEND = "backend"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    INCONCLUSIVE = "inconclusive"

    @property
    def counts_in_rate(self) -> bool:
        """Whether a trial with this verdict is an observation of the hang rate."""
        return self in {Verdict.CLEAN, Verdict.HANG}


class CellVerdict(StrEnum):
    """What the trials of a cell came to."""

    CLEAN = "clean"
    HANG = "hang"
    CRASH = "crash"
    FAILING = "failing"
    UNTESTABLE = "untestable"
    INCONCLUSIVE = "inconclusive"


class HangClass(StrEnum):
    """How a trial hung."""

    FROZEN = "frozen"
    SPINNING = "spinning"
    DEADLOCKED = "deadlocked"
    UNANSWERED = "unanswered"
    UNSTOPPABLE = "unstoppable"
