"""Why a trial came to its verdict, in words: the only place where the sentences about one trial come from."""

from __future__ import annotations

from repro.model import Bound, Trial


def reason_of(trial: Trial) -> str:
    """One sentence or more, whatever the verdict."""
    return trial.reason


def explanation_of(trial: Trial) -> str:
    """What is stuck, on what, for whom, since when; empty for what is no hang."""
    return trial.hang.explanation if trial.hang else ""


def bound_text(bound: Bound) -> str:
    """Whether the hang ends by itself, and why: ``gives up after at most 300 s: …``, ``nothing ends it: …``."""
    return bound.why


def cause_text_of(trial: Trial) -> str:
    """The known cause of a hang with the reasons of its match, or that there is none."""
    return trial.hang.cause_text if trial.hang else ""


def stacks_of(trial: Trial) -> tuple[str, ...]:
    """The stacks of a hang that matter, the most telling first."""
    return trial.hang.stacks if trial.hang else ()
