"""A sentence for each row of the judge's table: what a trial came to, from its findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from repro.findings import Findings, Phase, RowName, Said, StuckUsers, Waiting, WaitKind
from repro.presentation.stacks import awaited_text, gil_owner_text, held_by, largest_text, spot_text, swallowed_text

MAX_NAMES = 3


def sentences(found: Findings) -> tuple[str, ...]:
    """The sentences of the row that held, the first of which says what is so."""
    if found.row in _HANGS:
        return tuple(_HANGS[found.row](found))
    spent = f"; {found.backend.refusals} calls were refused: the budget of requests is spent"
    return (_OTHERS[found.row](found) + (spent if found.backend.refusals else ""),)


# What hangs


def _unstoppable(found: Findings) -> list[str]:
    alive, sending = found.stuck.count, found.stuck.sending
    live, they, their = ("lives", "it", "its") if alive == 1 else ("live", "they", "their")
    going_on = f", and {sending} of them {'goes' if sending == 1 else 'go'} on sending" if sending else ""
    who = f"{alive} of {found.users} users {live} on {_after_the_stop(found)}{going_on}"
    if found.said.dropped_exit is None:
        where = f"; {largest_text(found.stuck.largest)}" if found.stuck.largest else ""
        return [f"{who}: {they} survived {their} GreenletExit{where}."]
    item, count = found.said.dropped_exit
    times = "once" if count == 1 else f"{count} times"
    return [
        f"{who}: {their} GreenletExit was thrown into code whose exceptions Python drops.",
        f"{swallowed_text(item)} ({times} in the output).",
    ]


def _will_not_exit(found: Findings) -> list[str]:
    where = f": it stands in {spot_text(found.program.at)}" if found.program.at else ""
    return [f"All users have ended, but the process will not exit, {_after_the_stop(found)}{where}."]


def _after_the_stop(found: Findings) -> str:
    return f"{found.silent_s:.1f} s after the stop"


def _never_began(found: Findings) -> list[str]:
    where = f" in {spot_text(found.program.at)}" if found.program.at else ""
    return [f"No user ever began in {found.silent_s:.0f} s: the process stands{where}."]


def _loop_stands(found: Findings) -> list[str]:
    if found.program.never_began:
        return _never_began(found)
    at, count = found.program.at, found.stuck.count
    silent = f"The event loop has not turned for {found.silent_s:.1f} s, since {_moment(found)}"
    where = f": the main thread stands in {spot_text(at)}" if at else ""
    who = f"all {count}" if count >= found.users else f"{count} of {found.users}"
    stopped = ["By the kernel the process is stopped by a signal: `kill -CONT` lets it go on."]
    more = stopped if found.program.is_stopped else _gil(found)
    return [f"{silent}; {who} users stand still{where}.", *more, *_holding(found)]


def _in_locks(found: Findings) -> list[str]:
    if found.program.never_began:
        return _never_began(found)
    at = found.program.at
    where = f": the main thread waits in {spot_text(at)}, in a native lock without a time limit" if at else ""
    return [f"{_silence(found)}, and it has not ended{where}.", *_gil(found), *_holding(found)]


def _gil(found: Findings) -> list[str]:
    if not found.program.is_native_silent:
        return []
    by = f" by {gil_owner_text(found.program.gil)}" if found.program.gil else ""
    return [f"The agent's native thread does not run either: the GIL is held{by}."]


def _holding(found: Findings) -> list[str]:
    return [f"That lock is {held_by(found.program.holder)}."] if found.program.holder else []


def _silence(found: Findings) -> str:
    """``After 6 operations the program has done nothing for 12.0 s``."""
    after = (
        f"After {found.ended} operation{'' if found.ended == 1 else 's'} the program" if found.ended else "The program"
    )
    return f"{after} has done nothing for {found.silent_s:.1f} s"


def _never_began_burning(found: Findings) -> list[str]:
    return [
        f"No user ever began in {found.silent_s:.0f} s, while {found.program.cores:.1f} cores burn{_in_loop(found)}."
    ]


def _burning(found: Findings) -> list[str]:
    program, count = found.program, found.stuck.count
    if program.is_turning:
        since = f"{_who(found)} running in a loop{_in_loop(found)}, since {_moment(found)}"
        end = "ends" if count == 1 else "end"
        return [f"{since} and {end} no operation, while the event loop turns and {program.cores:.1f} cores burn."]
    how = "the event loop does not turn" if program.is_loop_silent else "the event loop turns"
    quiet = f"No operation of {count} users has ended for {found.silent_s:.1f} s"
    return [f"{quiet} while {program.cores:.1f} cores burn{_in_loop(found)}: {how}."]


def _in_loop(found: Findings) -> str:
    return f", in {spot_text(found.program.loop)}" if found.program.loop else ""


def _silent_parked(found: Findings) -> list[str]:
    begun = f"No user ever began in {found.silent_s:.0f} s"
    what = begun if found.program.never_began else f"{_silence(found)}, and it has not ended"
    return [f"{what}: its greenlets wait for each other alone{_standing(found)}."]


def _standing(found: Findings) -> str:
    return f"; it stands in {spot_text(found.program.at)}" if found.program.at else ""


def _deadlocked(found: Findings) -> list[str]:
    if found.program.is_unread:
        since = f"{_who(found)} in flight in {_operations(found.stuck)} since {_moment(found)}"
        return [f"{since}: an answer lies unread in the socket, and nobody reads it."]
    locks = "; ".join(f"{wait.count} on {_lock(wait)}" for wait in found.stuck.waits[:MAX_NAMES])
    return [f"{_who(found)} parked for good since {_moment(found)}, {locks}."]


def _lock(waiting: Waiting) -> str:
    if waiting.wait is None:
        return "something unknown"
    if waiting.wait.kind is WaitKind.NOTHING:
        return "nothing that could wake it"
    return f"{_detail(waiting)}, {held_by(waiting.holder) if waiting.holder else 'holder unknown'}"


def _detail(waiting: Waiting) -> str:
    lock = waiting.wait.lock if waiting.wait else ""
    return f"{awaited_text(waiting.wait)} {lock}".strip()


def _unanswered(found: Findings) -> list[str]:
    other = f"{', '.join(found.stuck.elsewhere)}, which is not this run's backend" if found.stuck.elsewhere else ""
    known = f" from {other}" if other else ", and the backend answers its own probe"
    if not found.stuck.busy:
        waits = [wait for wait in found.stuck.waits if wait.wait is not None][:MAX_NAMES]
        sockets = "; ".join(f"{wait.count} on {_detail(wait)}" for wait in waits)
        return [
            f"{_who(found)} waiting outside of any operation since {_moment(found)}, {sockets}: no byte came{known}."
        ]
    what = _unconnected(found.stuck, other, known) or f"the request left, no byte came back{known}"
    log = [] if found.stuck.elsewhere else _by_the_log(found.backend.open_requests)
    return [f"{_who(found)} waiting in {_operations(found.stuck)} since {_moment(found)}: {what}.", *log]


def _unconnected(stuck: StuckUsers, other: str, known: str) -> str:
    """What is said of those whose connection is not made yet; empty where there are none."""
    steps = ((stuck.connecting, "to be connected"), (stuck.handshaking, "for the other side of a TLS handshake"))
    early = " and ".join(f"{count} of them {step}" for count, step in steps if count)
    if not early:
        return ""
    return f"they wait{f' for {other}' if other else ''}, {early}; of those no request has left{'' if other else known}"


def _by_the_log(open_requests: int | None) -> list[str]:
    """Whether the trouble is with the backend or on the way to it, as far as the backend's log tells."""
    if open_requests is None:
        return []
    if open_requests:
        return [f"By its own log it has received {open_requests} requests of this queue and not answered them."]
    return [
        "By its own log it has answered all that it received: what is missing never arrived there, or was lost on the way back."
    ]


def _who(found: Findings) -> str:
    count = found.stuck.count
    if found.phase is Phase.START:
        return f"Before any user began: {count} greenlet{' is' if count == 1 else 's are'}"
    return f"{count} of {found.users} users {'is' if count == 1 else 'are'}"


def _moment(found: Findings) -> str:
    if found.phase is Phase.START:
        return f"{found.silent_s:.1f} s before this was seen"
    return f"second {found.since_s:.1f} of the load"


def _operations(stuck: StuckUsers) -> str:
    return ", ".join(f"{name} ({count})" for name, count in stuck.operations[:MAX_NAMES]) or "no operation"


# What does not


def _ended(found: Findings) -> str:
    return f"{found.ended} operations ended, {found.failed} of them failed"


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
    what = "any user began" if found.ended else "it sent anything"
    return f"ended with exit code {found.exit_code} before {what}{_colon(found.said.last_words)}"


def _died(found: Findings) -> str:
    code = found.exit_code or 0
    how = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"{how} after {_ended(found)}{_colon(found.said.last_words)}"


def _tasks_failed(found: Findings) -> str:
    errors = f"{found.iteration_errors} exceptions outside of any operation in {found.iterations} tasks"
    return f"{errors}{_raised(found.said)}; {_ended(found)}"


def _no_user_began(found: Findings) -> str:
    return f"no user began in {found.silent_s:.0f} s, and what was seen does not show why{_standing(found)}"


def _silent(found: Findings) -> str:
    return f"{_silence(found)} and has not ended; what was seen does not show why{_standing(found)}"


def _all_failed_backend_silent(found: Findings) -> str:
    return f"all {found.ended} operations failed while the backend did not answer: {found.backend.reason}"


def _backend_silent(found: Findings) -> str:
    waiting = f"{found.stuck.count} users wait for answers"
    return f"{waiting}, and the backend does not answer its probe either: {found.backend.reason}"


def _backend_overrun(found: Findings) -> str:
    return (
        f"{found.stuck.count} users wait for answers, and the kernel dropped "
        f"{found.backend.overflows} connections meanwhile, for the backend's queue of new ones was full: it accepts more slowly "
        "than users connect"
    )


def _at_capacity(found: Findings) -> str:
    pace = found.ended / found.load_s if found.load_s else 0.0
    return (
        f"{found.stuck.count} of {found.users} users still wait for an answer after {found.silent_s:.0f} s, and others "
        f"had waited as long when they were answered: {pace:.1f} operations ended a second, too few for so many users"
    )


_HANGS: Mapping[RowName, Callable[[Findings], list[str]]] = {
    RowName.LOOP_STANDS_BURNING: _burning,
    RowName.LOOP_STANDS: _loop_stands,
    RowName.SILENT_IN_LOCKS: _in_locks,
    RowName.SILENT_PARKED: _silent_parked,
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
    RowName.BACKEND_DIED: lambda found: f"the backend has died: {found.backend.reason}",
    RowName.ENDED_BEFORE_IT_BEGAN: _ended_before,
    RowName.DIED: _died,
    RowName.ENDED_WITHOUT_A_CALL: lambda _: "ended by itself with exit code 0 without a call of the client",
    RowName.ENDED_BY_ITSELF: lambda found: f"ended by itself with exit code 0 {_of_load(found)}",
    RowName.CUT_SHORT: lambda found: f"told to stop by a signal {_of_load(found)}",
    RowName.NO_USER_STARTED: lambda found: f"no user could be started{_raised(found.said)}",
    RowName.ALL_USERS_DIED: lambda found: f"all users died{_raised(found.said)}; {_ended(found)}",
    RowName.ALL_FAILED_BACKEND_SILENT: _all_failed_backend_silent,
    RowName.ALL_FAILED: lambda found: f"all {found.ended} operations failed{_because(found)}",
    RowName.OPERATIONS_FAILED: lambda found: f"{_ended(found)}{_because(found)}",
    RowName.TASKS_FAILED: _tasks_failed,
    RowName.NOTHING_SENT: lambda _: "the load ran its time, and no operation ever ended",
    RowName.RAN_AND_ENDED: _ended,
    RowName.NEVER_BEGAN_UNEXPLAINED: _no_user_began,
    RowName.SILENT_UNEXPLAINED: _silent,
    RowName.NO_ANSWER_BACKEND_SILENT: _backend_silent,
    RowName.NO_ANSWER_BACKEND_OVERRUN: _backend_overrun,
    RowName.AT_CAPACITY: _at_capacity,
}
