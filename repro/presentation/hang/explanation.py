"""Explains a trial's verdict in words: what is stuck, on what, since when, and how that is known.

The only place where the sentences about one trial come from: they are made of its ``findings``. A trial that an
older version stored has none, and shows the sentences that were stored with it.
"""

from __future__ import annotations

from repro.core.experiment.factors.amplification import knobs_of
from repro.findings import CauseMatch, Ending, Findings, OpenCollection, RowName, Unseen
from repro.model import Bound, Trial, Verdict
from repro.presentation.hang.lacks import lacks_text
from repro.presentation.hang.stacks import stack_text, swallowed_text
from repro.presentation.hang.verdicts import sentences

NEW = "No known cause matches."
_NO_MOMENT = {
    "gc": "no garbage collection came earlier than it would have",
    "threads": "there was no native thread besides the main one",
    "stop": "no runner of this process stopped its users and started them again",
    "dns": "gevent's resolver looked up no name in a native thread",
    "io": "no answer came through the proxy",
}


def reason_of(trial: Trial) -> str:
    """The reason for any verdict, in one or more sentences."""
    if trial.findings is None:
        return trial.reason or trial.verdict.value
    amplified = trial.findings.amplified
    if trial.verdict is Verdict.INCONCLUSIVE and amplified is not None and not amplified.moments:
        lacking = "; ".join(_NO_MOMENT[knob] for knob in knobs_of(amplified.knob))
        return f"amplify={amplified.knob} did nothing: {lacking}."
    sentence = _said(trial.findings)
    if trial.hang is None and trial.findings.cause is not None:
        sentence = f"{sentence}. {cause_text(trial.findings.cause)}"
    unseen = unseen_text(trial.findings.unseen)
    return f"{sentence.removesuffix('.')}. Not seen: {unseen} (docs/reference/limits.md)." if unseen else sentence


def explanation_of(trial: Trial) -> str:
    """What is stuck, on what, for whom, since when; empty for what is not a hang."""
    if trial.hang is None:
        return ""
    if trial.findings is None:
        return trial.hang.explanation
    return _said(trial.findings)


def _said(found: Findings) -> str:
    """All sentences about a verdict, and which option supplies what was lacking."""
    told = " ".join((*sentences(found), *collection_sentences(found.collection)))
    lacking = lacks_text(found)
    return f"{told.removesuffix('.')}. {lacking}" if lacking else told


def collection_sentences(found: OpenCollection | None) -> tuple[str, ...]:
    """Nothing, or that a garbage collection has not ended, and what that shows."""
    if found is None:
        return ()
    where = "" if found.in_main else " in another thread"
    began = f"A garbage collection{where} that began {found.seconds:.1f} s before the verdict had not ended"
    if not found.in_main:
        return (f"{began}.",)
    if not found.turns:
        return (f"{began}: something that it finalizes blocks the event loop.",)
    return (f"{began}, while other greenlets ran: a finalizer in it switches greenlets.",)


def title_of(trial: Trial) -> str:
    """A short title for a hang: its known cause, or the first sentence about it."""
    if trial.findings is None:
        return trial.reason
    if trial.findings.cause is not None:
        return f"Known cause: {trial.findings.cause.title}"
    first, *more = sentences(trial.findings)
    return first.removesuffix(".") if more else first


def cause_text_of(trial: Trial) -> str:
    """The known cause of a hang with the reasons of its match, or that there is none."""
    if trial.hang is None:
        return ""
    if trial.findings is None:
        return trial.hang.cause_text
    return cause_text(trial.findings.cause) if trial.findings.cause else NEW


def brief_cause_of(trial: Trial) -> str:
    """The known cause by its title; the answer has its fix, and a report why it matches."""
    if trial.hang is None or trial.findings is None or trial.findings.cause is None:
        return cause_text_of(trial)
    return f"Known cause: {trial.findings.cause.title}."


def brief_reason_of(trial: Trial) -> str:
    """The same for other verdicts: what happened, and the title of the known cause."""
    if trial.findings is None or trial.findings.cause is None:
        return reason_of(trial)
    return f"{' '.join(sentences(trial.findings)).removesuffix('.')}. Known cause: {trial.findings.cause.title}."


def stacks_of(trial: Trial) -> tuple[str, ...]:
    """The relevant stacks of a hang, the most important first."""
    if trial.hang is None:
        return ()
    if trial.findings is None:
        return trial.hang.stacks
    dropped = trial.findings.said.dropped
    lost = [f"{dropped[1]} × {swallowed_text(dropped[0])}"] if dropped else []
    return (*lost, *(stack_text(stack) for stack in trial.findings.stacks))


def bound_text(bound: Bound, row: RowName | None = None) -> str:
    """Whether the hang ends by itself, and why: ``It gives up after at most 300 s: …``, ``It will not recover …``."""
    if bound.ending is None:
        return bound.why
    if row is RowName.PROCESS_OUTLIVES_THE_STOP:
        return "It will not recover by itself: the stop does not reach what is still running"
    if bound.ending is not Ending.GIVES_UP:
        return _ENDINGS[bound.ending]
    how = f"{bound.attempts} attempt{'s' if bound.attempts > 1 else ''}" if bound.attempts else "its attempts"
    parts = f"{how} of up to {bound.attempt_s:g} s, with connecting and pauses"
    return f"It gives up after at most {bound.at_most_s or 0:.0f} s: {parts}"


_ENDINGS = {
    Ending.THREAD_HAS_NO_TIMEOUT: (
        "It waits for a thread, as to resolve a name, and no timeout of the client covers that"
    ),
    Ending.OPERATION_HAS_NO_TIMEOUT: "It will not recover by itself: the operation has no timeout",
    Ending.TIMEOUT_NOT_SEEN: "Whether it recovers by itself is unknown: the operation's timeout cannot be seen",
    Ending.WAIT_HAS_NO_TIMEOUT: "It will not recover by itself: the wait has no timeout",
    Ending.WAIT_BEGINS_AGAIN: "It will not recover by itself: the wait has a timeout, but starts again each time",
    Ending.LOOP_STANDS: "It will not recover by itself: with the event loop blocked, no timeout can fire",
    Ending.LOOP_HAS_NO_WAY_OUT: "It will not recover by itself: nothing in the busy loop depends on time",
    Ending.TOLD_ONCE: "It will not recover by itself: GreenletExit is raised only once",
    Ending.NOT_TOLD: "It will not recover by itself: nothing else ends a user before its time",
}


FACTS_IN_WORDS = {
    "exit-caught": "a handler of the program catches GreenletExit",
    "exit-replaced": "another exception took the place of GreenletExit",
    "no-timeout": "the operation has no timeout",
    "not-told": "no GreenletExit was raised in the users",
    "native-thread": "a native thread of the program runs beside the event loop's",
    "all-answered": "the backend has answered all that reached it",
    "unserved": "greenlets wait to begin, and their event loop does not turn",
    "all-ended": "all users have ended, and the process has not",
    "left-waiting": "all users have ended, and that greenlet still waits for others",
    "pool-taken": "workers of gevent's thread pool are at other calls than the resolver's",
}
"""What is neither a frame nor output, by the name under which a match keeps it."""


def cause_text(cause: CauseMatch) -> str:
    """``Known cause: gevent#1957: …. Fix: …. It matches because …. To see it alone: `repro run …```."""
    reasons = [
        *(f"`{frame}` is in the stacks" for frame in cause.frames),
        *(f"nothing will wake `{frame}`" for frame in cause.unwoken),
        *(f"the output says `{line}`" for line in cause.lines),
        *(FACTS_IN_WORDS.get(fact, fact) for fact in cause.facts),
        *(f"{name} {version} is {concerned or 'installed'}" for name, version, concerned in cause.versions),
    ]
    threads = f" See {cause.upstream}." if cause.upstream else ""
    return (
        f"Known cause: {cause.title}. Fix: {cause.cure}. "
        f"It matches because {_listed(reasons)}. To see it alone: `repro run {cause.shown_by}`.{threads}"
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
