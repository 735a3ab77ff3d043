"""What explains a trial's verdict, made from the judge's decision and from what the inquiry saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from repro.core.hang.frames import Frame, folded, top_module
from repro.core.hang.groups import (
    RESOLVING,
    View,
    blocked_main,
    catching,
    largest,
    loop_of,
    native_call,
    native_holder,
    peers_elsewhere,
    stuck_pools,
    turning,
    unconnected,
    waiting_place,
)
from repro.core.hang.swallowed import last_error, last_line, last_words, swallowed
from repro.core.judge.judge import Decision
from repro.core.judge.now import Stuck
from repro.core.judge.samples import ParkedOn, Raised, Slot, Standing
from repro.findings import (
    Awaited,
    BackendFindings,
    CauseMatch,
    Ending,
    Findings,
    GilOwner,
    Holder,
    Lack,
    Place,
    Program,
    RaisedAt,
    RowName,
    Said,
    Spot,
    SpotKind,
    Stack,
    StuckUsers,
    Swallowed,
    Waiting,
    WaitKind,
    Wanted,
)
from repro.model import Bound, HangClass

PAUSE_S = 20.0
"""botocore waits at most this long between two attempts."""

MOST_KEPT = 4
"""Of operations and of what is waited for so many are kept, the most frequent ones."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What explains a decision beside itself.

    ``load_at``          when the load began
    ``seconds, users``   what it was to be
    ``output``           the text of both outputs
    ``error``            the last error of an operation
    ``raised``           what a greenlet or a task last died of
    ``lost_exits``       how many GreenletExits another exception replaced
    ``views``            the stacks; ``main_stack`` is the main thread's, as faulthandler gave it
    ``is_stopped``       whether a signal has stopped the process
    ``gil``              who holds the GIL, by a debugger
    ``listens``          the addresses on which the process accepts connections
    """

    load_at: float
    users: int
    seconds: float
    output: str = ""
    error: str = ""
    raised: Raised | None = None
    lost_exits: int = 0
    backend: BackendFindings = field(default_factory=BackendFindings)
    backend_url: str = ""
    views: Sequence[View] = ()
    main_stack: Sequence[Frame] = ()
    is_stopped: bool = False
    gil: GilOwner | None = None
    listens: Sequence[str] = ()
    wanted: Sequence[tuple[str, str]] = ()


def findings_of(
    decision: Decision, around: Circumstances, *, cause: CauseMatch | None = None, stacks: tuple[Stack, ...] = ()
) -> Findings:
    """The records for a decision, whatever its verdict."""
    facts = decision.facts
    return Findings(
        row=decision.row.name,
        phase=facts.phase,
        since_s=max(0.0, decision.since - around.load_at),
        silent_s=decision.at - decision.since,
        load_s=facts.load_s,
        seconds=around.seconds,
        users=around.users,
        ended=facts.ended,
        failed=facts.failed,
        iterations=facts.iterations,
        iteration_errors=facts.iteration_errors,
        exit_code=facts.exit_code,
        own_end_s=facts.own_end_s,
        is_left_running=facts.is_left_running,
        left_s=facts.left_s,
        stuck=_stuck(decision, around),
        program=_program(decision, around),
        said=_said(around),
        backend=replace(around.backend, overflows=facts.overflows, unserved=facts.unserved),
        cause=cause,
        wanted=tuple(Wanted(Lack(kind), name) for kind, name in dict.fromkeys(around.wanted) if kind in set(Lack)),
        stacks=stacks,
    )


def modules_of(found: Findings) -> tuple[str, ...]:
    """The top-level modules and packages that a hang's stacks, places and known cause name: ``urllib3``, ``queue``."""
    spots = (found.program.at, found.program.loop, found.stuck.largest)
    places = [place for stack in found.stacks for place in stack.frames]
    places += [spot.place for spot in spots if spot is not None and spot.place is not None]
    dropped = [frame for item in (found.said.dropped, found.said.dropped_exit) if item for frame in item[0].frames]
    concerned = [name.replace("-", "_") for name, _, _ in found.cause.versions] if found.cause else []
    return tuple(sorted({*(top_module(place.file) for place in places), *map(top_module, dropped), *concerned}))


def bound_of(decision: Decision, *, attempts: int = 0) -> Bound:
    """The longest that a hang can last by the client's own timeouts; ``attempts`` are the cell's, where they fit."""
    if decision.row.hang_class is not HangClass.UNANSWERED:
        return Bound(at_most_s=None, ending=_endless(decision))
    busy = [user for user in decision.stuck if user.slot.busy]
    if busy and all(user.parked is not None and user.parked.on is ParkedOn.ELSEWHERE for user in busy):
        return Bound(at_most_s=None, ending=Ending.THREAD_HAS_NO_TIMEOUT)
    ceilings = [user.slot.ceiling_s for user in busy]
    if not ceilings or float("inf") in ceilings:
        return Bound(at_most_s=None, ending=Ending.OPERATION_HAS_NO_TIMEOUT)
    if 0.0 in ceilings:
        return Bound(at_most_s=None, ending=Ending.TIMEOUT_NOT_SEEN)
    worst = max((user.slot for user in busy), key=lambda slot: slot.ceiling_s)
    return Bound(
        at_most_s=worst.ceiling_s,
        ending=Ending.GIVES_UP,
        attempts=attempts if _fits(worst, attempts) else None,
        attempt_s=worst.attempt_s,
    )


def _endless(decision: Decision) -> Ending:
    hang_class = decision.row.hang_class or HangClass.FROZEN
    is_renewed = any(user.parked is not None and user.parked.has_timeout for user in decision.stuck)
    if hang_class is HangClass.DEADLOCKED and is_renewed:
        return Ending.WAIT_BEGINS_AGAIN
    if are_untold(decision):
        return Ending.NOT_TOLD
    return _ENDLESS[hang_class]


def _fits(slot: Slot, attempts: int) -> bool:
    """Whether so many attempts can make up the ceiling: a locustfile may give its client others than the cell's."""
    return 0 < attempts * slot.attempt_s <= slot.ceiling_s <= attempts * (2 * slot.attempt_s + PAUSE_S)


_ENDLESS = {
    HangClass.FROZEN: Ending.LOOP_STANDS,
    HangClass.SPINNING: Ending.LOOP_HAS_NO_WAY_OUT,
    HangClass.DEADLOCKED: Ending.WAIT_HAS_NO_TIMEOUT,
    HangClass.UNSTOPPABLE: Ending.TOLD_ONCE,
}


def _stuck(decision: Decision, around: Circumstances) -> StuckUsers:
    # Whoever did a last thing as it was stopped does not go on.
    lately = (decision.since + decision.at) / 2
    busy = [user for user in decision.stuck if user.slot.busy]
    operations = Counter(user.slot.operation for user in busy if user.slot.operation)
    early = unconnected(around.views)
    return StuckUsers(
        count=decision.users_stuck,
        busy=len(busy),
        sending=sum(1 for user in decision.stuck if user.slot.quiet_since > lately),
        operations=tuple(operations.most_common(MOST_KEPT)),
        waits=_waits(decision.stuck),
        resolving=early[RESOLVING],
        connecting=early["connect"],
        handshaking=early["do_handshake"],
        elsewhere=peers_elsewhere(around.views, around.backend_url),
        largest=largest(around.views),
        catch=catching(around.views),
        is_told=not are_untold(decision),
    )


def are_untold(decision: Decision) -> bool:
    """Whether users go on after the stop in whom nobody has raised a GreenletExit: it did not reach their process."""
    return decision.row.name is RowName.USERS_OUTLIVE_THE_STOP and not any(
        user.slot.killed for user in decision.stuck if user.slot.is_user
    )


def _waits(stuck: Sequence[Stuck]) -> tuple[Waiting, ...]:
    counted: Counter[tuple[Awaited | None, Holder | None]] = Counter(_wait_of(user) for user in stuck)
    return tuple(Waiting(count=n, wait=wait, holder=holder) for (wait, holder), n in counted.most_common(MOST_KEPT))


_KINDS = {on: WaitKind(on.value) for on in ParkedOn if on is not ParkedOn.ELSEWHERE} | {
    ParkedOn.ELSEWHERE: WaitKind.THREAD
}
"""What is said of a wait of which only this much is known."""


def _wait_of(user: Stuck) -> tuple[Awaited | None, Holder | None]:
    if user.parked is None:
        return None, None
    return user.parked.wait or Awaited(_KINDS[user.parked.on]), user.parked.holder


def _program(decision: Decision, around: Circumstances) -> Program:
    facts = decision.facts
    blocked = blocked_main(around.views)
    user = turning(around.views)
    by_faulthandler = Spot(SpotKind.CALL, around.main_stack[-1].place) if around.main_stack else None
    at = native_call(*blocked) if blocked else by_faulthandler
    caught = loop_of(user.stack) if user and not blocked else None
    return Program(
        cores=facts.cores,
        has_users=facts.users > 0,
        never_began=facts.start_over,
        is_loop_silent=facts.loop_silent,
        is_native_silent=facts.native_silent,
        is_turning=facts.turning > 0,
        is_unread=facts.unread > 0 and not facts.locked,
        is_stopped=around.is_stopped,
        at=at if facts.users else waiting_place(around.views) or at,
        holder=native_holder(*blocked) if blocked else None,
        loop=Spot(SpotKind.CALL, caught) if caught else at,
        gil=around.gil if facts.native_silent else None,  # elsewhere it goes from hand to hand
        listens=tuple(around.listens),
        pools=stuck_pools(around.views, is_standing=facts.standing is Standing.PARKED),
    )


def _said(around: Circumstances) -> Said:
    dropped = swallowed(around.output)
    exits: Counter[Swallowed] = Counter({item: count for item, count in dropped.items() if item.is_greenlet_exit})
    return Said(
        error=around.error,
        traceback=last_error(around.output),
        last_words=last_words(around.output),
        last_line=last_line(around.output),
        raised=_raised(around.raised) if around.raised else None,
        lost_exits=around.lost_exits,
        dropped=next(iter(dropped.most_common(1)), None),
        dropped_exit=next(iter(exits.most_common(1)), None),
    )


def _raised(raised: Raised) -> RaisedAt:
    return RaisedAt(raised.error, Place(folded(raised.file), raised.line, raised.function), raised.is_greenlet)
