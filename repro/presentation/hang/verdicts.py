"""The sentences for each row of the judge's table, made from a trial's findings."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

from repro.findings import Findings, Phase, RowName, Said, SpotKind, StuckPool, StuckUsers, Waiting, WaitKind
from repro.presentation.hang.missing import advice
from repro.presentation.hang.stacks import (
    awaited_text,
    gil_owner_text,
    held_by,
    largest_text,
    place_text,
    spot_text,
    standing_text,
    swallowed_text,
)

MAX_NAMES = 3


def sentences(found: Findings) -> tuple[str, ...]:
    """The sentences for the row that applied; the first one says what happened."""
    if found.row in _HANGS:
        return (*_HANGS[found.row](found), *_died_greenlet(found.said))
    spent = f"; {found.backend.refusals} calls were refused: the budget of requests is spent"
    return (_OTHERS[found.row](found) + (spent if found.backend.refusals else "") + advice(found.said),)


def _died_greenlet(said: Said) -> tuple[str, ...]:
    """A greenlet of the program that has died: it may be the one that others wait for."""
    if said.raised is None or not said.raised.is_greenlet:
        return ()
    return (f"A greenlet of the program died: {_raised(said).removeprefix(': ')}.",)


# What hangs


def _unstoppable(found: Findings) -> list[str]:
    alive, sending = found.stuck.count, found.stuck.sending
    whole = "still sending" if alive == 1 else "all of them still sending"
    going_on = f", {whole if sending == alive else f'{sending} of them still sending'}" if sending else ""
    still = f"{_users(found)} {'was' if alive == 1 else 'were'} still running {_after_the_stop(found)}{going_on}."
    if found.said.lost_exits:
        return [still, *_replaced(found)]
    if found.said.dropped_exit is None:
        them = "it" if alive == 1 else "them"
        ignored = (
            f"GreenletExit did not end {them}."
            if found.stuck.is_told
            else f"No GreenletExit was raised in {them}: the stop did not reach the process."
        )
        where = [f"Largest group: {largest_text(found.stuck.largest)}."] if found.stuck.largest else []
        return [still, *(_caught(found) or [ignored]), *where]
    item, count = found.said.dropped_exit
    own = f"{'Its' if alive == 1 else 'Their'} GreenletExit"
    return [
        still,
        f"{own} was raised inside a finalizer or callback, where Python discards exceptions.",
        f"The output shows this {'once' if count == 1 else f'{count} times'}: {swallowed_text(item)}.",
    ]


def _replaced(found: Findings) -> list[str]:
    """Another exception took the place of GreenletExit: by what, and where it was raised."""
    times = "once" if found.said.lost_exits == 1 else f"{found.said.lost_exits} times"
    what = f"Another exception replaced GreenletExit {times}{_raised(found.said)}."
    return [what, "Locust logs that exception, and the user continues."]


def _caught(found: Findings) -> list[str]:
    """The program's own handler that swallows GreenletExit."""
    if found.stuck.catch is None:
        return []
    place, count = found.stuck.catch
    are = f"{count} of them {'is' if count == 1 else 'are'}"
    where = f"{are} inside the `try` with `{place.code}` at {place.file}:{place.function}, line {place.line}"
    return ["The program itself catches GreenletExit and does not raise it again.", f"{where}."]


def _will_not_exit(found: Findings) -> list[str]:
    running = f"All users have ended, but the process was still running {_after_the_stop(found)}."
    return [running, *_stuck_pools(found), *_standing(found)]


def _after_the_stop(found: Findings) -> str:
    return f"{found.silent_s:.1f} s after the stop"


def _never_began(found: Findings) -> list[str]:
    return [f"No user started within {found.silent_s:.0f} s.", *_standing(found)]


def _loop_stands(found: Findings) -> list[str]:
    if found.program.never_began:
        return _never_began(found)
    stuck = "all users are stuck" if found.stuck.count >= found.users else f"{_users(found)} {_are(found)} stuck"
    blocked = f"The event loop has been blocked for {found.silent_s:.1f} s{_since_when(found)}; {stuck}."
    stopped = ["A signal has stopped the process: `kill -CONT` resumes it."]
    more = stopped if found.program.is_stopped else _gil(found)
    return [blocked, *_standing(found), *more, *_holding(found)]


def _in_locks(found: Findings) -> list[str]:
    if found.program.never_began:
        return _never_began(found)
    wait = ["It waits for a native lock without a timeout."] if found.program.at else []
    return [f"{_silence(found)} and has not ended.", *_standing(found), *wait, *_gil(found), *_holding(found)]


def _gil(found: Findings) -> list[str]:
    if not found.program.is_native_silent:
        return []
    by = f" by {gil_owner_text(found.program.gil)}" if found.program.gil else ""
    return [f"No other thread can run Python either: the GIL is held{by}."]


def _holding(found: Findings) -> list[str]:
    return [f"That lock is {held_by(found.program.holder)}."] if found.program.holder else []


def _silence(found: Findings) -> str:
    """``After 6 operations the program has made no progress for 12.0 s``."""
    after = (
        f"After {found.ended} operation{'' if found.ended == 1 else 's'} the program" if found.ended else "The program"
    )
    return f"{after} has made no progress for {found.silent_s:.1f} s"


def _never_began_burning(found: Findings) -> list[str]:
    cores = f"the process uses {found.program.cores:.1f} CPU cores"
    return [f"No user started within {found.silent_s:.0f} s, and {cores}.", *_loop(found)]


def _burning(found: Findings) -> list[str]:
    program = found.program
    cores = f"the process uses {program.cores:.1f} CPU cores"
    if program.is_turning:
        busy = f"{_who(found)} been in a busy loop {_since(found)} and completed no operation."
        return [busy, f"The event loop still turns, and {cores}.", *_loop(found)]
    how = "is blocked" if program.is_loop_silent else "still turns"
    quiet = f"No operation of {found.stuck.count} users has ended for {found.silent_s:.1f} s, and {cores}."
    return [quiet, f"The event loop {how}.", *_loop(found)]


def _loop(found: Findings) -> list[str]:
    return [f"The busy loop is in {spot_text(found.program.loop)}."] if found.program.loop else []


def _silent_parked(found: Findings) -> list[str]:
    begun = f"No user started within {found.silent_s:.0f} s"
    what = begun if found.program.never_began else f"{_silence(found)} and has not ended"
    at = found.program.at
    kind = "asyncio tasks" if at is not None and at.kind is SpotKind.TASK else "greenlets"
    why = _stuck_pools(found) or [f"Its {kind} wait only for each other."]
    return [f"{what}.", *why, *_standing(found)]


def _stuck_pools(found: Findings) -> list[str]:
    return [_stuck_pool(pool) for pool in found.program.pools[:MAX_NAMES]]


def _stuck_pool(pool: StuckPool) -> str:
    """``All 4 workers of a ThreadPoolExecutor wait without a timeout, and 8 tasks in its queue wait for a worker``."""
    is_one = pool.workers == 1
    workers = "Both" if pool.workers == 2 else f"All {pool.workers}"
    wait = f"The one worker of a {pool.type} waits" if is_one else f"{workers} workers of a {pool.type} wait"
    queued = "1 task in its queue waits" if pool.queued == 1 else f"{pool.queued} tasks in its queue wait"
    where = f" {'It waits' if is_one else 'They wait'} at {place_text(pool.place)}." if pool.place else ""
    return f"{wait} without a timeout, and {queued} for a free worker.{where}"


def _silent_unserved(found: Findings) -> list[str]:
    begun = f"No user started within {found.silent_s:.0f} s"
    what = begun if found.program.never_began else f"{_silence(found)} and has not ended"
    unserved = "Greenlets that were spawned wait to begin: their event loop does not turn."
    return [f"{what}.", unserved, *_standing(found)]


def _standing(found: Findings) -> list[str]:
    return [f"{standing_text(found.program.at)}."] if found.program.at else []


def _deadlocked(found: Findings) -> list[str]:
    if found.program.is_unread:
        since = f"{_who(found)} been waiting in {_operations(found.stuck)} {_since(found)}."
        return [since, "The response has arrived in the socket, but nothing reads it."]
    whom = "it" if found.stuck.count == 1 else "them"
    parked = f"{_who(found)} been parked {_since(found)}, and nothing will wake {whom}."
    waits = [f"{_waits(wait)} for {_lock(wait)}." for wait in found.stuck.waits[:MAX_NAMES]]
    return [parked, *waits, *_stuck_pools(found)]


def _waits(waiting: Waiting) -> str:
    return f"{waiting.count} {'waits' if waiting.count == 1 else 'wait'}"


def _lock(waiting: Waiting) -> str:
    if waiting.wait is None:
        return "something unknown"
    if waiting.wait.kind is WaitKind.NOTHING:
        return "a wake-up that will not come"
    return f"{_detail(waiting)}, {held_by(waiting.holder) if waiting.holder else 'whose holder is unknown'}"


def _detail(waiting: Waiting) -> str:
    lock = waiting.wait.lock if waiting.wait else ""
    return f"{awaited_text(waiting.wait)} {lock}".strip()


def _unanswered(found: Findings) -> list[str]:
    stuck = found.stuck
    if not stuck.busy:
        waits = [wait for wait in stuck.waits if wait.wait is not None][:MAX_NAMES]
        waiting = f"{_who(found)} been waiting outside any operation {_since(found)}."
        sockets = [f"{_waits(wait)} for {_detail(wait)}." for wait in waits]
        return [waiting, *sockets, f"No byte has arrived{_from(found)}."]
    waiting = f"{_who(found)} been waiting in {_operations(stuck)} {_since(found)}."
    what = _unconnected(found) or [f"The request was sent, but no byte has come back{_from(found)}."]
    log = [] if stuck.elsewhere or stuck.resolving == stuck.count else _by_the_log(found.backend.open_requests)
    return [waiting, *what, *log]


def _from(found: Findings) -> str:
    """Who sent nothing, where it is another server; else what clears this run's backend of it."""
    if found.stuck.elsewhere:
        return f" from {', '.join(found.stuck.elsewhere)}, which is not this run's backend"
    return ", although the backend answers health probes" if found.backend.is_probed else ""


def _unconnected(found: Findings) -> list[str]:
    """What is said of those whose connection is not made yet; empty where there are none."""
    stuck = found.stuck
    steps = (
        (stuck.resolving, "waiting for a name to be resolved"),
        (stuck.connecting, "still connecting"),
        (stuck.handshaking, "in the TLS handshake"),
    )
    early = " and ".join(f"{count} of them {'is' if count == 1 else 'are'} {step}" for count, step in steps if count)
    if not early:
        return []
    if stuck.elsewhere:
        server = f"They wait for {', '.join(stuck.elsewhere)}, which is not this run's backend."
        return [server, f"{early[:1].upper()}{early[1:]}: no request has been sent yet."]
    return [f"{early[:1].upper()}{early[1:]}: no request has been sent yet{_from(found)}."]


def _by_the_log(open_requests: int | None) -> list[str]:
    """Whether the trouble is with the backend or on the way to it, as far as the backend's log tells."""
    if open_requests is None:
        return []
    if open_requests:
        requests = "1 request" if open_requests == 1 else f"{open_requests} requests"
        return [f"The backend's log shows {requests} of this trial that it received and did not answer."]
    return [
        "The backend's log shows that it answered every request it received.",
        "The missing ones were lost on the way there or on the way back.",
    ]


def _users(found: Findings) -> str:
    return f"{found.stuck.count} of {found.users} users"


def _are(found: Findings) -> str:
    return "is" if found.stuck.count == 1 else "are"


def _who(found: Findings) -> str:
    """Who is stuck, with the verb: ``3 of 10 users have``."""
    count = found.stuck.count
    have = "has" if count == 1 else "have"
    if found.phase is Phase.START:
        return f"No user has started: {count} greenlet{'' if count == 1 else 's'} {have}"
    return f"{_users(found)} {have}"


def _since(found: Findings) -> str:
    """``since second 4.2 of the load``; before the load there is no such second, and it is ``for 12.0 s``."""
    return _since_when(found).removeprefix(", ") or f"for {found.silent_s:.1f} s"


def _since_when(found: Findings) -> str:
    return "" if found.phase is Phase.START else f", since second {found.since_s:.1f} of the load"


def _operations(stuck: StuckUsers) -> str:
    return ", ".join(f"{name} ({count})" for name, count in stuck.operations[:MAX_NAMES]) or "no operation"


# What does not


def _ended(found: Findings) -> str:
    return f"{found.ended} operation{'' if found.ended == 1 else 's'}, {found.failed} failed"


def _early_end(found: Findings) -> str:
    """``; the load ended by itself after 2.0 of 8 s``, or that it had no users left, or nothing."""
    if found.is_left_running and not found.own_end_s:
        return f"; it was still running after {found.seconds:g} s, and --set seconds=N watches it for longer"
    if found.own_end_s:
        return f"; the load ended by itself after {found.own_end_s:.1f} of {found.seconds:g} s"
    if found.left_s:
        return f"; all users had ended by second {found.left_s:.1f} of {found.seconds:g}, and the process was idle"
    return ""


def _nothing_sent(found: Findings) -> str:
    return ". ".join([f"{_whole(found)}, but no operation ended", *_died_greenlet(found.said)]).removesuffix(".")


def _whole(found: Findings) -> str:
    return _early_end(found).removeprefix("; ") or "the load ran for its full time"


def _ran_and_ended(found: Findings) -> str:
    if found.ended or not found.backend.requests:
        return f"{_ended(found)}{_early_end(found)}{_some_tasks_failed(found)}"
    return f"no call of a known client was seen, but the backend's log has {found.backend.requests} requests"


def _of_load(found: Findings) -> str:
    return f"after {found.load_s:.1f} of {found.seconds:g} s of load; {_ended(found)}"


def _because(found: Findings) -> str:
    return _colon(found.said.error or found.said.traceback)


def _raised(said: Said) -> str:
    """``: ValueError: math domain error, raised in locust/distribution.py:weight_users, line 53``, or nothing."""
    if said.raised is None:
        return _colon(said.traceback)
    place = said.raised.place
    return f": {said.raised.error}, raised in {place.file}:{place.function}, line {place.line}"


def _colon(text: str) -> str:
    return f": {text}" if text else ""


def _ended_before(found: Findings) -> str:
    what = "any user started" if found.ended else "it sent anything"
    said = found.said.last_words or (found.said.last_line if found.exit_code else "")
    return f"ended with exit code {found.exit_code} before {what}{_colon(said)}"


def _died(found: Findings) -> str:
    code = found.exit_code or 0
    how = f"killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
    done = f"{found.ended} operation{'' if found.ended == 1 else 's'} ({found.failed} failed)"
    return f"{how} after {done}{_colon(found.said.last_words)}"


def _signal(number: int) -> str:
    """``signal 11 (SIGSEGV)``; a number that has no name is itself."""
    name = signal.Signals(number).name if number in set(signal.Signals) else ""
    return f"signal {number}{f' ({name})' if name else ''}"


def _some_tasks_failed(found: Findings) -> str:
    """``; 11 of 23 tasks raised outside any operation: AttributeError: …``, or nothing."""
    if not found.iteration_errors:
        return ""
    raised = _raised(found.said) if found.said.raised and not found.said.raised.is_greenlet else ""
    return f"; {found.iteration_errors} of {found.iterations} tasks raised outside any operation{raised}"


def _tasks_failed(found: Findings) -> str:
    errors = f"{found.iterations} tasks raised {found.iteration_errors} exceptions outside any operation"
    return f"{errors}{_raised(found.said)}; {_ended(found)}"


def _unexplained(what: str, found: Findings) -> str:
    """What is so, that nobody knows why, and where the process is: a sentence each, the last without its full stop."""
    why = _waits_for_calls(found) or ["The evidence does not show why."]
    return " ".join([f"{what}.", *why, *_standing(found)]).removesuffix(".")


def _waits_for_calls(found: Findings) -> list[str]:
    """Of a server that nobody loads, what to type; empty where it is none."""
    if not found.program.listens:
        return []
    return [
        f"It listens on {', '.join(found.program.listens[:MAX_NAMES])}, and nothing calls it there.",
        "Type the command of the load, with this one as --serve and its address as --serve-url.",
    ]


def _no_user_began(found: Findings) -> str:
    return _unexplained(f"no user started within {found.silent_s:.0f} s", found)


def _silent(found: Findings) -> str:
    return _unexplained(f"{_silence(found)} and has not ended", found)


def _all_failed_backend_silent(found: Findings) -> str:
    return f"all {found.ended} operations failed, and the backend did not answer: {found.backend.reason}"


def _waiting(found: Findings) -> str:
    return f"{found.stuck.count} user{' is' if found.stuck.count == 1 else 's are'} waiting for answers"


def _backend_silent(found: Findings) -> str:
    return f"{_waiting(found)}, and the backend does not answer health probes: {found.backend.reason}"


def _backend_overrun(found: Findings) -> str:
    if found.backend.overflows < found.stuck.count:
        unread = f"The backend has not yet accepted or read {found.backend.unserved} of their requests"
        return f"{_waiting(found)}. {unread}: it cannot keep up"
    dropped = f"The kernel dropped {found.backend.overflows} connections because the backend's accept queue was full"
    return f"{_waiting(found)}. {dropped}: users connect faster than the backend accepts"


def _at_capacity(found: Findings) -> str:
    pace = found.ended / found.load_s if found.load_s else 0.0
    waited = f"{_users(found)} {_are(found)} still waiting for an answer after {found.silent_s:.0f} s"
    return (
        f"{waited}. Others waited as long and were answered: {pace:.1f} operations a second are not enough "
        "for this many users"
    )


def _waited_in_vain(found: Findings) -> str:
    return _unexplained(f"{_users(found)} {_are(found)} still waiting after {found.silent_s:.0f} s", found)


_HANGS: Mapping[RowName, Callable[[Findings], list[str]]] = {
    RowName.LOOP_STANDS_BURNING: _burning,
    RowName.LOOP_STANDS: _loop_stands,
    RowName.SILENT_IN_LOCKS: _in_locks,
    RowName.SILENT_PARKED: _silent_parked,
    RowName.SILENT_UNSERVED: _silent_unserved,
    RowName.NEVER_BEGAN_BURNING: _never_began_burning,
    RowName.NEVER_BEGAN: _never_began,
    RowName.LOCKED: _deadlocked,
    RowName.UNREAD: _deadlocked,
    RowName.BURNING: _burning,
    RowName.NO_ANSWER: _unanswered,
    RowName.TURNING: _burning,
    RowName.USERS_OUTLIVE_THE_STOP: _unstoppable,
    RowName.PROCESS_OUTLIVES_THE_STOP: _will_not_exit,
}

_OTHERS: Mapping[RowName, Callable[[Findings], str]] = {
    RowName.BACKEND_DIED: lambda found: f"the backend died: {found.backend.reason}",
    RowName.ENDED_BEFORE_IT_BEGAN: _ended_before,
    RowName.DIED: _died,
    RowName.ENDED_WITHOUT_A_CALL: lambda _: "ended by itself with exit code 0, without a single call by a client",
    RowName.ENDED_BY_ITSELF: lambda found: f"ended by itself with exit code 0 {_of_load(found)}",
    RowName.CUT_SHORT: lambda found: f"stopped by a signal {_of_load(found)}",
    RowName.NO_USER_STARTED: lambda found: f"no user could be started{_raised(found.said)}",
    RowName.ALL_USERS_DIED: lambda found: f"all users died{_raised(found.said)}; {_ended(found)}",
    RowName.ALL_FAILED_BACKEND_SILENT: _all_failed_backend_silent,
    RowName.ALL_FAILED: lambda found: f"all {found.ended} operations failed{_because(found)}",
    RowName.OPERATIONS_FAILED: lambda found: f"{_ended(found)}{_because(found)}",
    RowName.TASKS_FAILED: _tasks_failed,
    RowName.NOTHING_SENT: _nothing_sent,
    RowName.RAN_AND_ENDED: _ran_and_ended,
    RowName.NEVER_BEGAN_UNEXPLAINED: _no_user_began,
    RowName.SILENT_UNEXPLAINED: _silent,
    RowName.NO_ANSWER_BACKEND_SILENT: _backend_silent,
    RowName.NO_ANSWER_BACKEND_OVERRUN: _backend_overrun,
    RowName.AT_CAPACITY: _at_capacity,
    RowName.WAITED_IN_VAIN: _waited_in_vain,
}
