"""Why a trial came to its verdict, in words: what is stuck, on what, for whom, since when, how we know.

The only place where the sentences about one trial come from: they are made of its ``findings``. A trial that an
older version stored has none, and shows the sentences that were stored with it.
"""

from __future__ import annotations

from repro.findings import CauseMatch, Ending, Unseen
from repro.model import Bound, Trial
from repro.presentation.stacks import stack_text, swallowed_text
from repro.presentation.verdicts import sentences

NEW = "New: it matches none of the known causes."


def reason_of(trial: Trial) -> str:
    """One sentence or more, whatever the verdict."""
    if trial.findings is None:
        return trial.reason or trial.verdict.value
    sentence = " ".join(sentences(trial.findings))
    if trial.hang is None and trial.findings.cause is not None:
        sentence = f"{sentence}. {cause_text(trial.findings.cause)}"
    unseen = unseen_text(trial.findings.unseen)
    return f"{sentence}; {unseen} were not seen: see docs/reference/limits.md" if unseen else sentence


def explanation_of(trial: Trial) -> str:
    """What is stuck, on what, for whom, since when; empty for what is no hang."""
    if trial.hang is None:
        return ""
    return " ".join(sentences(trial.findings)) if trial.findings else trial.hang.explanation


def title_of(trial: Trial) -> str:
    """What a hang is in a few words: its known cause, else the first sentence about it."""
    if trial.findings is None:
        return trial.reason
    if trial.findings.cause is not None:
        return f"This is {trial.findings.cause.title}"
    first, *more = sentences(trial.findings)
    return first.removesuffix(".") if more else first


def cause_text_of(trial: Trial) -> str:
    """The known cause of a hang with the reasons of its match, or that there is none."""
    if trial.hang is None:
        return ""
    if trial.findings is None:
        return trial.hang.cause_text
    return cause_text(trial.findings.cause) if trial.findings.cause else NEW


def stacks_of(trial: Trial) -> tuple[str, ...]:
    """The stacks of a hang that matter, the most telling first."""
    if trial.hang is None:
        return ()
    if trial.findings is None:
        return trial.hang.stacks
    dropped = trial.findings.said.dropped
    lost = [f"{dropped[1]} × {swallowed_text(dropped[0])}"] if dropped else []
    return (*lost, *(stack_text(stack) for stack in trial.findings.stacks))


def bound_text(bound: Bound) -> str:
    """Whether the hang ends by itself, and why: ``gives up after at most 300 s: …``, ``nothing ends it: …``."""
    if bound.ending is None:
        return bound.why
    if bound.ending is not Ending.GIVES_UP:
        return _ENDINGS[bound.ending]
    how = f"{bound.attempts} attempt{'s' if bound.attempts > 1 else ''}" if bound.attempts else "its attempts"
    return (
        f"gives up after at most {bound.at_most_s or 0:.0f} s: {how} of up to {bound.attempt_s:g} s, connecting and the pauses "
        "between them included"
    )


_ENDINGS = {
    Ending.OPERATION_HAS_NO_TIMEOUT: "nothing ends it: the operation has no time-out",
    Ending.TIMEOUT_NOT_SEEN: "it is not known whether it ends: the operation's time-out cannot be seen",
    Ending.WAIT_HAS_NO_TIMEOUT: "nothing ends it: the wait has no time-out",
    Ending.WAIT_BEGINS_AGAIN: "nothing ends it: the wait has a time-out, and begins again each time",
    Ending.LOOP_STANDS: "nothing ends it: the event loop, and every time-out in it, stands still",
    Ending.LOOP_HAS_NO_WAY_OUT: "nothing ends it: the loop has no way out that depends on time",
    Ending.TOLD_ONCE: "nothing ends it: they were told once, and nobody tells them again",
}


def cause_text(cause: CauseMatch) -> str:
    """``This is gevent 1957: …. Cured by … (`repro run …` shows it). It matches because …``."""
    reasons = [
        *(f"`{frame}` is in the stacks" for frame in cause.frames),
        *(f"`nothing wakes {frame}` is in the stacks" for frame in cause.unwoken),
        *(f"the output says `{line}`" for line in cause.lines),
        *(f"{name} {version} is {concerned or 'there'}" for name, version, concerned in cause.versions),
    ]
    threads = f" See {cause.upstream}." if cause.upstream else ""
    return (
        f"This is {cause.title}. Cured by {cause.cure} "
        f"(`repro run {cause.shown_by}` shows it). It matches because {_listed(reasons)}.{threads}"
    )


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def unseen_text(unseen: Unseen) -> str:
    """``3 users and 5 processes``; empty when everything was seen."""
    parts = (
        (unseen.users, "users"),
        (unseen.calls, "calls of other greenlets and threads"),
        (unseen.processes, "processes"),
    )
    return " and ".join(f"{count} {what}" for count, what in parts if count)
