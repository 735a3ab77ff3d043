"""The answer of ``repro attach`` as text and as JSON: what the process is stuck on, how that is known, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from repro.core.causes.prognosis import Likelihood
from repro.core.diagnosis.diagnosis import Diagnosis, Finding
from repro.core.hang.dump import Dump, Greenlet, Lock, Thread, awaited
from repro.core.hang.frames import Frame, shortened
from repro.core.hang.groups import innermost
from repro.findings import Stack, StackOf, WaitKind
from repro.model import Verdict
from repro.orchestration.attachment import Attached
from repro.presentation.hang.explanation import NEW, cause_text
from repro.presentation.hang.prognosis import signs_text
from repro.presentation.hang.stacks import awaited_text, frames_text, held_by, place_text
from repro.presentation.lines import fitted

SCHEMA = "repro.attach/1"
MOST_STACKS = 6
MOST_OWNERS = 2


def headline(attached: Attached) -> str:
    """The answer in one line: ``HANG (deadlocked): 164 of 200 greenlets of process 4711 cannot make progress``."""
    found = attached.diagnosis
    if found.verdict is Verdict.HANG and found.hang_class is not None:
        stuck = f"{len(found.stuck)} of {len(found.own)} greenlets" if found.own else _name(found.thread)
        return f"HANG ({found.hang_class.value}): {stuck} of process {attached.pid} cannot make progress"
    if found.is_still:
        return f"Inconclusive: one moment does not show whether process {attached.pid} hung"
    if found.verdict is Verdict.CLEAN:
        return f"No hang: process {attached.pid} makes progress, or waits for something that can still happen"
    return f"Inconclusive: it cannot be decided from outside whether process {attached.pid} hangs"


def explanation(attached: Attached) -> str:
    """What happened and how it is known, in a few sentences."""
    found = attached.diagnosis
    said = _SENTENCES[found.finding](found) + _gil(found)
    if found.is_still:
        return f"{said} A core dump is one moment: what moved before it, or would have moved next, is not known."
    moved = f"{found.moved or 'none'} of its greenlets made progress"
    used = f"Between two looks, {found.seconds:.1f} s apart, the process used {found.cores:.2f} of a core"
    return f"{said} {used}, and {moved}."


def next_step(attached: Attached) -> str:
    """What to do now."""
    found = attached.diagnosis
    if attached.refusal:
        return attached.refusal
    if found.finding is Finding.STOPPED:
        return f"`kill -CONT {attached.pid}` resumes it."
    if found.is_still and found.verdict is Verdict.INCONCLUSIVE:
        return "Look at such a process while it runs: `repro attach PID` looks twice, and sees what moves."
    if found.verdict is Verdict.INCONCLUSIVE:
        return f"Watch it for longer: `repro attach {attached.pid} --for 60`."
    return ""


def document(attached: Attached, evidence: str) -> dict[str, Any]:
    """The JSON document; ``evidence`` is the folder of the bundle, "" when none was kept."""
    found = attached.diagnosis
    return {
        "schema": SCHEMA,
        "pid": attached.pid,
        "core": attached.core,
        "command": attached.command,
        "python": attached.python,
        "packages": dict(attached.packages),
        "verdict": found.verdict.value,
        "hang_class": found.hang_class.value if found.hang_class else None,
        "users": len(found.own),
        "users_stuck": len(found.stuck),
        "seconds": round(found.seconds, 1),
        "explanation": explanation(attached),
        "cause": attached.cause.id if attached.cause else None,
        "cause_text": cause_text(attached.cause) if attached.cause else None,
        "causes": _causes(attached),
        "stacks": stacks(attached),
        "notes": list(_notes(attached)),
        "paused_ms": [round(one * 1000, 1) for one in attached.pauses_s],
        "next_step": next_step(attached),
        "evidence": evidence,
    }


def block(attached: Attached, evidence: str, *, width: int | None = None) -> str:
    """The whole answer: what, how it is known, a known cause, the stacks, what to do, where the evidence is.

    Sentences are wrapped at ``width``, where there is one; a stack and a path are not.
    """
    lines = [headline(attached), "", explanation(attached)]
    if attached.diagnosis.hang_class is not None:
        lines += [cause_text(attached.cause)] if attached.cause else [NEW, *_likely(attached)]
    said = [fitted(line, width=width) for line in lines]
    for stack in stacks(attached):
        said += ["", *(f"  {line}" for line in stack.splitlines())]
    more = [fitted(line, width=width) for line in (_pauses(attached), next_step(attached)) if line]
    return "\n".join([*said, "", *more, f"Evidence: {evidence}"])


def _causes(attached: Attached) -> list[dict[str, str]]:
    """Each known cause of such a hang that these packages allow, the one that was seen first, then the likely ones."""
    others = sorted(attached.prospects, key=lambda one: one.likelihood is not Likelihood.LIKELY)
    seen = [{"id": attached.cause.id, "likelihood": Likelihood.SEEN.value}] if attached.cause else []
    return seen + [{"id": one.cause.id, "likelihood": one.likelihood.value} for one in others]


def _likely(attached: Attached) -> list[str]:
    """Which known causes of such a hang are likely though nothing of them was seen; nothing where none is."""
    likely = [one for one in attached.prospects if one.likelihood is Likelihood.LIKELY]
    named = "; ".join(f"{one.cause.id} ({signs_text(one.signs)})" for one in likely)
    return [f"Likely by its packages and its command, but not seen: {named}."] if likely else []


def nothing_found(verdict: Verdict, said: str) -> dict[str, Any]:
    """The JSON document of a watch in which no hang was found, which ``said`` says."""
    return {
        "schema": SCHEMA,
        "verdict": verdict.value,
        "hang_class": None,
        "users_stuck": 0,
        "explanation": said,
        "cause": None,
        "stacks": [],
        "evidence": "",
    }


def stacks(attached: Attached) -> list[str]:
    """The stacks that matter: the thread's that stands, then the greenlets' by what they wait for."""
    found = attached.diagnosis
    stands = (
        [f"{_name(found.thread).removeprefix('the ')}\n{_frames(found.thread.stack)}"]
        if found.thread is not None
        else []
    )
    dump = attached.looks[-1].dump
    shown = found.stuck or found.own
    groups = [text for _, text in _groups(shown, dump)][:MOST_STACKS]
    return stands + groups + (_owners(shown, dump)[:MOST_OWNERS] if dump is not None else [])


def _groups(greenlets: Sequence[Greenlet], dump: Dump | None) -> list[tuple[int, str]]:
    """How many wait alike, and a text for them; the largest first."""
    keys = [
        (one.wait.kind if one.wait else WaitKind.UNKNOWN, _state(one, dump), innermost(one.stack)) for one in greenlets
    ]
    examples = dict(zip(reversed(keys), reversed(greenlets), strict=True))
    return [(count, _group(count, examples[key], key[1])) for key, count in Counter(keys).most_common()]


def _group(count: int, example: Greenlet, state: str) -> str:
    wait = f"wait for {awaited_text(awaited(example.wait))}{state}" if example.wait is not None else "are parked"
    return f"{count} × {wait}\n{_frames(example.stack)}"


def _lock_of(one: Greenlet, dump: Dump | None) -> Lock | None:
    return dump.locks.get(one.wait.lock) if dump is not None and one.wait is not None else None


def _state(one: Greenlet, dump: Dump | None) -> str:
    """What a lock tells of itself: its owner, or its counter; "" of what is no lock."""
    lock = _lock_of(one, dump)
    holder = dump.holder(lock) if dump is not None and lock is not None else None
    if holder is not None:
        return f", {held_by(holder)}"
    if lock is None or lock.counter < 0:
        return ""
    return (
        f", which nobody holds (its counter is {lock.counter})"
        if lock.is_free
        else ", which is taken (its counter is 0)"
    )


def _owners(waiting: Sequence[Greenlet], dump: Dump) -> list[str]:
    """The stacks of those who own what is waited for, and are not among those who wait."""
    locks = [lock for one in waiting if (lock := _lock_of(one, dump)) is not None]
    ids = dict.fromkeys(lock.holder_greenlet for lock in locks if lock.holder_greenlet)
    owners = [owner for one in ids if one not in {item.id for item in waiting} and (owner := dump.by_id(one))]
    return [f"owns a lock, and waits for {awaited_text(awaited(one.wait))}\n{_frames(one.stack)}" for one in owners]


def _frames(stack: Sequence[Frame]) -> str:
    shown = shortened(stack)
    return frames_text(
        Stack(of=StackOf.GROUP, frames=tuple(frame.place for frame in shown), is_cut=len(shown) < len(stack))
    )


def _notes(attached: Attached) -> Sequence[str]:
    last = attached.looks[-1].dump
    return (
        *(last.notes if last is not None else ()),
        *((attached.refusal,) if attached.refusal else ()),
        *filter(None, [_pauses(attached)]),
    )


def _pauses(attached: Attached) -> str:
    """How long the process was held still; "" where nobody asked for that."""
    if not attached.pauses_s:
        return ""
    return f"The process was paused for {' and '.join(f'{one * 1000:.0f} ms' for one in attached.pauses_s)}."


def _name(thread: Thread | None) -> str:
    """What a thread is called where it has no name: Python's name of it lies in an object of Python code."""
    return "the main thread" if thread is None or thread.is_main else f"thread {thread.native_id}"


def _blocked(found: Diagnosis) -> str:
    is_main = found.thread is None or found.thread.is_main
    return f"{'The' if is_main else 'An'} event loop is blocked: {_name(found.thread)}"


def _others_starve(found: Diagnosis) -> str:
    """How many cannot run meanwhile; "" where the program has none of its own."""
    return f"none of its {len(found.stuck)} greenlets can run" if found.stuck else "no greenlet can run"


def _place(thread: Thread | None) -> str:
    return place_text(thread.stack[-1].place) if thread is not None and thread.stack else "code that could not be read"


def _gil(found: Diagnosis) -> str:
    """Who holds the GIL, where a thread stands: its own call in C, or another thread's."""
    if found.gil is None or found.thread is None or found.finding is Finding.STILL:
        return ""
    if found.gil.ident == found.thread.ident:
        return " It holds the GIL, so no other thread can run Python code."
    return f" The GIL is held by another thread, in {_place(found.gil)}."


def _in_lock(found: Diagnosis) -> str:
    rest = f" Until it gets the lock, {_others_starve(found)}." if found.stuck else ""
    name = _name(found.thread)
    return f"{name[0].upper()}{name[1:]} waits for a native lock without a timeout: {_place(found.thread)}.{rest}"


def _away(found: Diagnosis) -> str:
    return f"{_blocked(found)} is in {_place(found.thread)} and uses no CPU. Until it returns, {_others_starve(found)}."


def _burns(found: Diagnosis) -> str:
    return f"{_blocked(found)} computes in {_place(found.thread)}. Until it ends, {_others_starve(found)}."


def _free_lock(found: Diagnosis) -> str:
    kind = found.lock.type if found.lock else "lock"
    return (
        f"{len(found.stuck)} of {len(found.own)} greenlets wait for a {kind} that nobody holds: its wake-up was lost."
    )


def _no_timer(found: Diagnosis) -> str:
    return (
        f"{len(found.stuck)} of {len(found.own)} greenlets sleep and no timer will wake them: their wake-up was lost."
    )


def _circle(found: Diagnosis) -> str:
    return f"{len(found.stuck)} greenlets wait for locks whose owners wait for each other."


def _unread(found: Diagnosis) -> str:
    return f"{len(found.stuck)} greenlets wait to read from sockets that have unread data: nothing hands it to them."


def _all_wait(found: Diagnosis) -> str:
    return (
        f"All {len(found.own)} greenlets of the program wait for each other, without a timeout, and no socket or timer "
        "can wake any of them."
    )


def _holder_unknown(found: Diagnosis) -> str:
    if found.lock is not None and found.lock.holder_greenlet:
        return (
            f"{len(found.stuck)} of {len(found.own)} greenlets wait for a lock without a timeout. Its owner is not "
            "stuck for all that can be seen; its stack is below."
        )
    return (
        f"{len(found.stuck)} of {len(found.own)} greenlets wait for a lock without a timeout. Who holds it cannot be "
        "read: it may be one of the others, which sleep, wait for an answer or move."
    )


def _away_once(found: Diagnosis) -> str:
    """Where the main thread was, if not at rest in its loop."""
    return f"The main thread was in {_place(found.thread)}." if found.thread is not None else "The event loop rested."


def _goes_on(found: Diagnosis) -> str:
    told = _kinds(found)
    return f"Nothing looks wrong: of {len(found.own)} greenlets {told}." if told else "Its threads make progress."


def _waiting(found: Diagnosis) -> str:
    told = _kinds(found)
    return f" Of {len(found.own)} greenlets {told}." if told else ""


def _kinds(found: Diagnosis) -> str:
    """What the program's greenlets wait for, by their number."""
    kinds = Counter(
        _WAITS.get(one.wait.kind if one.wait else WaitKind.UNKNOWN, "wait for something else") for one in found.own
    )
    return ", ".join(f"{count} {words}" for words, count in kinds.most_common())


_WAITS = {
    WaitKind.SOCKET: "wait for a response or a connection",
    WaitKind.TIMER: "sleep",
    WaitKind.RUNNING: "run",
    WaitKind.READY: "are about to run",
    WaitKind.EVENT: "wait for an event",
    WaitKind.SEMAPHORE: "wait for a lock",
    WaitKind.LOCK: "wait for a lock",
    WaitKind.GREENLET: "wait for another greenlet to end",
}

_SENTENCES = {
    Finding.STOPPED: lambda _: "A signal or a debugger has stopped the process: none of its threads can run.",
    Finding.IN_LOCK: _in_lock,
    Finding.AWAY: _away,
    Finding.BURNS: _burns,
    Finding.FREE_LOCK: _free_lock,
    Finding.NO_TIMER: _no_timer,
    Finding.CIRCLE: _circle,
    Finding.UNREAD: _unread,
    Finding.ALL_WAIT: _all_wait,
    Finding.HOLDER_UNKNOWN: _holder_unknown,
    Finding.SCRIPT_WAITS: lambda found: (
        f"The main thread is in {_place(found.thread)}. Another thread, a message or a signal may still wake it."
    ),
    Finding.UNREADABLE: lambda _: "Its stacks could not be read.",
    Finding.STILL: lambda found: _away_once(found) + _waiting(found),
    Finding.GOES_ON: _goes_on,
}
