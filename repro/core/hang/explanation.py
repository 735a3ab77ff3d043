"""Why a trial came to its verdict, in one or two sentences: what is stuck, on what, for whom, since when, how we know."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from repro.core.hang.dump import folded, holder_in_words
from repro.core.hang.swallowed import last_error, last_words, swallowed
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import Holder, ParkedOn, Raised, Slot
from repro.core.judge.table import Phase, RowName
from repro.model import Bound, HangClass, Verdict

PAUSE_S = 20.0
"""botocore waits at most so long between two attempts."""

MAX_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What the explanation needs beside the decision.

    ``load_at`` is when the load began and ``users`` how many there were to be; ``output`` is both outputs' text,
    ``error`` the last error of an operation, ``raised`` what a greenlet or a task last died of. ``native_call`` says where the main thread stands when the loop does not
    turn, ``native_holder`` who holds what it waits for, ``loop`` which loop burns the core, ``is_stopped`` whether a signal has
    stopped the process. ``survivors`` says where users are that outlive the stop, ``elsewhere`` whom those wait for who wait
    for another server than the backend. ``connecting`` and
    ``handshaking`` count the stuck users whose connection is not made yet. ``open_requests`` are those that the backend has
    received, by its own log, and not answered; None where it keeps no log.
    """

    load_at: float
    users: int
    seconds: float
    output: str = ""
    error: str = ""
    raised: Raised | None = None
    backend_reason: str = ""
    budget_refusals: int = 0
    connecting: int = 0
    handshaking: int = 0
    open_requests: int | None = None
    native_call: str = ""
    native_holder: Holder | None = None
    loop: str = ""
    survivors: str = ""
    elsewhere: str = ""
    is_stopped: bool = False


def explain(decision: Decision, around: Circumstances) -> str:
    """The sentences for the decision, whatever its verdict."""
    if decision.row.hang_class is not None:
        return _HANGS[decision.row.hang_class](decision, around)
    return _reason(decision, around)


def bound_of(decision: Decision, *, attempts: int = 0) -> Bound:
    """The longest that the hang can last by the client's own time-outs; ``attempts`` are the cell's, named where they fit."""
    hang_class = decision.row.hang_class
    if hang_class is not HangClass.UNANSWERED:
        again = any(user.parked is not None and user.parked.has_timeout for user in decision.stuck)
        if hang_class is HangClass.DEADLOCKED and again:
            return Bound(at_most_s=None, why="nothing ends it: the wait has a time-out, and begins again each time")
        return Bound(at_most_s=None, why=_ENDLESS.get(hang_class or HangClass.FROZEN, "nothing ends it"))
    ceilings = [user.slot.ceiling_s for user in decision.stuck if user.slot.busy]
    if not ceilings or float("inf") in ceilings:
        return Bound(at_most_s=None, why="nothing ends it: the operation has no time-out")
    if 0.0 in ceilings:
        return Bound(at_most_s=None, why="it is not known whether it ends: the operation's time-out cannot be seen")
    worst = max((user.slot for user in decision.stuck if user.slot.busy), key=lambda slot: slot.ceiling_s)
    how = f"{attempts} attempt{'s' if attempts > 1 else ''}" if _fits(worst, attempts) else "its attempts"
    return Bound(
        at_most_s=worst.ceiling_s,
        why=f"gives up after at most {worst.ceiling_s:.0f} s: {how} of up to {worst.attempt_s:g} s, connecting and the pauses "
        "between them included",
    )


def _fits(slot: Slot, attempts: int) -> bool:
    """Whether so many attempts can make up the ceiling: a locustfile may have given its client others than the cell's."""
    return 0 < attempts * slot.attempt_s <= slot.ceiling_s <= attempts * (2 * slot.attempt_s + PAUSE_S)


_ENDLESS = {
    HangClass.FROZEN: "nothing ends it: the event loop, and every time-out in it, stands still",
    HangClass.SPINNING: "nothing ends it: the loop has no way out that depends on time",
    HangClass.DEADLOCKED: "nothing ends it: the wait has no time-out",
    HangClass.UNSTOPPABLE: "nothing ends it: they were told once, and nobody tells them again",
}


def _unstoppable(decision: Decision, around: Circumstances) -> str:
    waited = f"{decision.at - decision.since:.1f} s after the stop"
    if not decision.facts.users:
        where = f": it stands in {around.native_call}" if around.native_call else ""
        return f"All users have ended, but the process will not exit, {waited}{where}."
    alive = len(decision.stuck)
    live, they, their = ("lives", "it", "its") if alive == 1 else ("live", "they", "their")
    lately = (decision.since + decision.at) / 2  # one that did a last thing as it was stopped does not go on
    sending = sum(1 for user in decision.stuck if user.slot.quiet_since > lately)
    going_on = f", and {sending} of them {'goes' if sending == 1 else 'go'} on sending" if sending else ""
    who = f"{alive} of {around.users} users {live} on {waited}{going_on}"
    lost = Counter({item: n for item, n in swallowed(around.output).items() if item.is_greenlet_exit})
    if not lost:
        where = f"; {around.survivors}" if around.survivors else ""
        return f"{who}: {they} survived {their} GreenletExit{where}."
    item, count = lost.most_common(1)[0]
    times = "once" if count == 1 else f"{count} times"
    return (
        f"{who}: {their} GreenletExit was thrown into code whose exceptions Python drops. {item.in_words()} "
        f"({times} in the output)."
    )


def _frozen(decision: Decision, around: Circumstances) -> str:
    if decision.row.name is RowName.NEVER_BEGAN or decision.facts.start_over:
        where = f" in {around.native_call}" if around.native_call else ""
        return f"No user ever began in {decision.at - decision.since:.0f} s: the process stands{where}."
    if decision.row.name is RowName.SILENT_IN_LOCKS:
        return _in_locks(decision, around)
    silent = (
        f"The event loop has not turned for {decision.at - decision.since:.1f} s, since {_moment(decision, around)}"
    )
    gil = " The agent's native thread does not run either: the GIL is held." if decision.facts.native_silent else ""
    if around.is_stopped:
        gil = " By the kernel the process is stopped by a signal: `kill -CONT` lets it go on."
    where = f": the main thread stands in {around.native_call}" if around.native_call else ""
    holder = f" That lock is {held_by(around.native_holder)}." if around.native_holder else ""
    count = len(decision.stuck)
    who = f"all {count}" if count >= around.users else f"{count} of {around.users}"
    return f"{silent}; {who} users stand still{where}.{gil}{holder}"


def _in_locks(decision: Decision, around: Circumstances) -> str:
    gil = " The agent's native thread does not run either: the GIL is held." if decision.facts.native_silent else ""
    where = (
        f": the main thread waits in {around.native_call}, in a native lock without a time limit"
        if around.native_call
        else ""
    )
    holder = f" That lock is {held_by(around.native_holder)}." if around.native_holder else ""
    return f"{_silence(decision)}, and it has not ended{where}.{gil}{holder}"


def _silence(decision: Decision) -> str:
    """``After 6 operations the program has done nothing for 12.0 s``."""
    ended = decision.facts.ended
    after = f"After {ended} operation{'' if ended == 1 else 's'} the program" if ended else "The program"
    return f"{after} has done nothing for {decision.at - decision.since:.1f} s"


def _spinning(decision: Decision, around: Circumstances) -> str:
    where = f", in {around.loop}" if around.loop else ""
    if decision.row.name is RowName.NEVER_BEGAN_BURNING:
        return f"No user ever began in {decision.at - decision.since:.0f} s, while {decision.facts.cores:.1f} cores burn{where}."
    if decision.facts.turning:
        return (
            f"{_who(decision, around)} running in a loop{where}, since {_moment(decision, around)} and {'ends' if len(decision.stuck) == 1 else 'end'} no operation, while the event loop "
            f"turns and {decision.facts.cores:.1f} cores burn."
        )
    how = "the event loop does not turn" if decision.facts.loop_silent else "the event loop turns"
    return (
        f"No operation of {len(decision.stuck)} users has ended for {decision.at - decision.since:.1f} s while "
        f"{decision.facts.cores:.1f} cores burn{where}: {how}."
    )


def _deadlocked(decision: Decision, around: Circumstances) -> str:
    if decision.row.name is RowName.SILENT_PARKED:
        return f"{_begun(decision)}: its greenlets wait for each other alone{_at_place(around)}."
    if decision.facts.unread and not decision.facts.locked:
        return (
            f"{_who(decision, around)} in flight in {_operations(decision.stuck)} since {_moment(decision, around)}: an answer "
            "lies unread in the socket, and nobody reads it."
        )
    on = Counter(_lock(user) for user in decision.stuck)
    locks = "; ".join(f"{count} on {lock}" for lock, count in on.most_common(MAX_NAMES))
    return f"{_who(decision, around)} parked for good since {_moment(decision, around)}, {locks}."


def _begun(decision: Decision) -> str:
    if decision.facts.start_over:
        return f"No user ever began in {decision.at - decision.since:.0f} s"
    return f"{_silence(decision)}, and it has not ended"


def _at_place(around: Circumstances) -> str:
    return f"; it stands in {around.native_call}" if around.native_call else ""


def _unanswered(decision: Decision, around: Circumstances) -> str:
    steps = ((around.connecting, "to be connected"), (around.handshaking, "for the other side of a TLS handshake"))
    early = " and ".join(f"{count} of them {step}" for count, step in steps if count)
    other = f"{around.elsewhere}, which is not this run's backend" if around.elsewhere else ""
    known = f" from {other}" if other else ", and the backend answers its own probe"
    what = f"the request left, no byte came back{known}"
    if early:
        what = f"they wait{f' for {other}' if other else ''}, {early}; of those no request has left{'' if other else known}"
    if not any(user.slot.busy for user in decision.stuck):
        on = Counter(user.parked.detail for user in decision.stuck if user.parked is not None)
        sockets = "; ".join(f"{count} on {detail}" for detail, count in on.most_common(MAX_NAMES))
        return (
            f"{_who(decision, around)} waiting outside of any operation since {_moment(decision, around)}, {sockets}: no byte "
            f"came{known}."
        )
    return (
        f"{_who(decision, around)} waiting in {_operations(decision.stuck)} since {_moment(decision, around)}: {what}."
        f"{'' if around.elsewhere else _by_the_log(around)}"
    )


def _by_the_log(around: Circumstances) -> str:
    """Whether the trouble is with the backend or on the way to it, as far as the backend's log tells."""
    if around.open_requests is None:
        return ""
    if around.open_requests:
        return f" By its own log it has received {around.open_requests} requests of this queue and not answered them."
    return " By its own log it has answered all that it received: what is missing never arrived there, or was lost on the way back."


_HANGS = {
    HangClass.UNSTOPPABLE: _unstoppable,
    HangClass.FROZEN: _frozen,
    HangClass.SPINNING: _spinning,
    HangClass.DEADLOCKED: _deadlocked,
    HangClass.UNANSWERED: _unanswered,
}


def _reason(decision: Decision, around: Circumstances) -> str:
    facts, name = decision.facts, decision.row.name
    error = around.error or last_error(around.output)
    because = f": {error}" if error else ""
    ended = f"{facts.ended} operations ended, {facts.failed} of them failed"
    raised = _raised(around)
    last = last_words(around.output)
    words = f": {last}" if last else ""
    unexplained = f"what was seen does not show why{_at_place(around)}"
    reasons = {
        RowName.CUT_SHORT: f"told to stop by a signal after {facts.load_s:.1f} of {around.seconds:g} s of load; {ended}",
        RowName.NO_USER_STARTED: f"no user could be started{raised}",
        RowName.ALL_USERS_DIED: f"all users died{raised}; {ended}",
        RowName.TASKS_FAILED: f"{facts.iteration_errors} exceptions outside of any operation in {facts.iterations} tasks"
        f"{raised}; {ended}",
        RowName.NEVER_BEGAN_UNEXPLAINED: f"no user began in {decision.at - decision.since:.0f} s, and {unexplained}",
        RowName.SILENT_UNEXPLAINED: f"{_silence(decision)} and has not ended; {unexplained}",
        RowName.BACKEND_DIED: f"the backend has died: {around.backend_reason}",
        RowName.ENDED_BEFORE_IT_BEGAN: f"ended with exit code {facts.exit_code} before {'any user began' if facts.ended else 'it sent anything'}"
        + words,
        RowName.DIED: f"{_death(facts.exit_code)} after {ended}" + words,
        RowName.ENDED_WITHOUT_A_CALL: "ended by itself with exit code 0 without a call of the client",
        RowName.ENDED_BY_ITSELF: f"ended by itself with exit code 0 after {facts.load_s:.1f} of {around.seconds:g} s of load; {ended}",
        RowName.ALL_FAILED_BACKEND_SILENT: f"all {facts.ended} operations failed while the backend did not answer: "
        f"{around.backend_reason}",
        RowName.ALL_FAILED: f"all {facts.ended} operations failed{because}",
        RowName.OPERATIONS_FAILED: f"{ended}{because}",
        RowName.NOTHING_SENT: "the load ran its time, and no operation ever ended",
        RowName.NO_ANSWER_BACKEND_SILENT: f"{len(decision.stuck)} users wait for answers, and the backend does not answer "
        f"its probe either: {around.backend_reason}",
        RowName.NO_ANSWER_BACKEND_OVERRUN: f"{len(decision.stuck)} users wait for answers, and the kernel dropped "
        f"{facts.overflows} connections meanwhile, for a server's queue of new ones was full: it accepts more slowly than users connect",
        RowName.RAN_AND_ENDED: ended,
    }
    spent = (
        f"; {around.budget_refusals} calls were refused: the budget of requests is spent"
        if around.budget_refusals
        else ""
    )
    return reasons[name] + spent if decision.row.verdict is not Verdict.HANG else ended


def _raised(around: Circumstances) -> str:
    """``: ValueError: math domain error, raised in locust/distribution.py:weight_users, line 53``, or nothing."""
    if around.raised is None:
        error = last_error(around.output)
        return f": {error}" if error else ""
    place = around.raised
    return f": {place.error}, raised in {folded(place.file)}:{place.function}, line {place.line}"


def held_by(holder: Holder) -> str:
    """``held by user 2 (…)``, or ``probably held by user 2 (…)`` where that is a guess."""
    return f"{'' if holder.is_certain else 'probably '}held by {holder_in_words(holder)}"


def _death(exit_code: int | None) -> str:
    code = exit_code or 0
    return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _who(decision: Decision, around: Circumstances) -> str:
    count = len(decision.stuck)
    if decision.facts.phase is Phase.START:
        return f"Before any user began: {count} greenlet{' is' if count == 1 else 's are'}"
    return f"{count} of {around.users} users {'is' if count == 1 else 'are'}"


def _moment(decision: Decision, around: Circumstances) -> str:
    if decision.facts.phase is Phase.START:
        return f"{decision.at - decision.since:.1f} s before this was seen"
    return f"second {max(0.0, decision.since - around.load_at):.1f} of the load"


def _operations(stuck: tuple[Stuck, ...]) -> str:
    names = Counter(user.slot.operation for user in stuck if user.slot.operation and user.slot.busy)
    return ", ".join(f"{name} ({count})" for name, count in names.most_common(MAX_NAMES)) or "no operation"


def _lock(user: Stuck) -> str:
    if user.parked is None:
        return "something unknown"
    if user.parked.on is ParkedOn.NOTHING:
        return "nothing that could wake it"
    holder = f", {held_by(user.parked.holder)}" if user.parked.holder else ", holder unknown"
    return f"{user.parked.detail or user.parked.on.value}{holder}"
