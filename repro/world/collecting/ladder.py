"""The ladder of evidence: what can be learned of a process that hangs, in order, each rung with its own limit.

    flight record            always there: a mapped file, read whatever state the process is in
    greenlets, event loop    the agent in a callback of the hub: silent when the loop stands
    greenlets, native thread the agent's own thread: silent when the GIL is held
    debugger                 py-spy or pystack by ptrace: who holds the GIL, and C frames; where ptrace is allowed
    kernel                   /proc: state, wchan, processor time, sockets with their queues; Linux
    greenlets, memory        the process's memory, read from outside: in every state of it, where it may be read
    faulthandler             a signal handler in C: prints the threads' frames even then. Only where memory did not
                             answer: a signal ends some calls that it finds, such as a sleep, and with them the hang

Which rung answers is itself a finding. Each one's answer is a file in the trial's folder, or a sentence that says why
not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from repro.errors import ProcessError
from repro.model import Rung, RungKind
from repro.world.collecting import kernel, ptrace

TOTAL_S = 4.8
POLL_S = 0.02
SETTLE_S = 0.06
"""Seconds for which a file no longer grows before it is taken for whole."""


LIMITS_S = {
    RungKind.FLIGHT: 0.1,
    RungKind.LOOP: 1.2,
    RungKind.THREAD: 1.0,
    RungKind.DEBUGGER: 1.8,
    RungKind.KERNEL: 0.3,
    RungKind.FAULTHANDLER: 0.4,
}
"""Seconds for each rung; the sum stays within ``TOTAL_S``, the time that evidence may take."""
MEMORY_LIMIT_S = 20.0
"""Seconds beside ``TOTAL_S`` for what is read meanwhile: it is waited for only where there is no core for it."""

SILENT_LIMIT_S = 0.3
"""Seconds for a rung that was silent for long: it is asked, for it may have come back, but hardly waited for."""
NEEDLESS_LIMIT_S = 0.6
"""Seconds for the native thread once the event loop has answered: its stacks are the same, and a loop that polls
without a pause hardly ever lets it run."""

ALL = tuple(RungKind)
_AGENT = frozenset({RungKind.LOOP, RungKind.THREAD})
_SAID_BY: Mapping[RungKind, frozenset[RungKind]] = {
    RungKind.DEBUGGER: _AGENT,
    RungKind.MEMORY: _AGENT,
    RungKind.FAULTHANDLER: frozenset({RungKind.MEMORY}),
}
"""By rung those that have said all that it would say, once they have answered."""
Asker = Callable[[float], Path | None]
"""Puts the question, waits for so many seconds, and gives the file of the answer, or None."""
Reader = Callable[[float], Path | str]
"""Reads for at most so many seconds, and gives the file of the answer, or why there is none."""


@dataclass(frozen=True)
class Target:
    """A process to learn of, and the ways to ask it.

    ``send_signal`` sends the signal on which the agent registered ``faulthandler``, which writes to
    ``faulthandler_file``. ``silent`` are the rungs that the flight record shows not to beat. ``failure`` says why the
    last question was answered by nothing, "" when it was not.
    """

    pid: int
    flight_record: Path | None
    ask_loop: Asker
    ask_thread: Asker
    send_signal: Callable[[], None]
    faulthandler_file: Path
    read_memory: Reader = lambda _: "its memory was not asked for"
    silent: frozenset[RungKind] = frozenset()
    failure: Callable[[], str] = lambda: ""


def climb(
    target: Target,
    *,
    folder: Path,
    rungs: Sequence[RungKind] = ALL,
    on_rung: Callable[[Rung], None] | None = None,
) -> tuple[Rung, ...]:
    """Ask on every rung, whatever the others said; ends within ``TOTAL_S`` seconds. Files are relative to ``folder``.

    Three are left out where others have said it. The debugger and memory, where the agent answers by loop and by
    thread: nobody holds the GIL then. ``faulthandler``, where memory answers, which shows more and sends no signal.
    """
    deadline = time.monotonic() + TOTAL_S
    result: list[Rung] = []
    for kind in rungs:
        answered = {rung.kind for rung in result if rung.answered}
        if answered >= _SAID_BY.get(kind, frozenset({kind})):
            continue
        limit_s = _limit_s(kind, target, answered, left_s=deadline - time.monotonic())
        result.append(_rung(kind, target, folder=folder, limit_s=limit_s))
        if on_rung is not None:
            on_rung(result[-1])
    return tuple(result)


def _limit_s(kind: RungKind, target: Target, answered: Collection[RungKind], *, left_s: float) -> float:
    """For how long a rung is waited for, of the seconds that are left."""
    if kind is RungKind.MEMORY:
        return MEMORY_LIMIT_S
    own_s = SILENT_LIMIT_S if kind in target.silent else LIMITS_S[kind]
    if kind is RungKind.THREAD and RungKind.LOOP in answered:
        own_s = min(own_s, NEEDLESS_LIMIT_S)
    return max(0.05, min(own_s, left_s))


def climb_all(targets: Sequence[Target], *, folder: Path, rungs: Sequence[RungKind] = ALL) -> tuple[Rung, ...]:
    """Climb for all processes of a trial at once."""
    if not targets:
        return ()
    with ThreadPoolExecutor(len(targets)) as pool:
        found = pool.map(lambda target: climb(target, folder=folder, rungs=rungs), targets)
        return tuple(rung for climbed in found for rung in climbed)


def _rung(kind: RungKind, target: Target, *, folder: Path, limit_s: float) -> Rung:
    began = time.monotonic()
    try:
        answer: Path | str = _ASK[kind](target, folder, limit_s)
    except (OSError, ProcessError, ValueError) as error:
        answer = f"{type(error).__name__}: {error}"
    seconds = round(time.monotonic() - began, 3)
    if isinstance(answer, str):
        return Rung(kind=kind, pid=target.pid, answered=False, seconds=seconds, refusal=answer)
    file = str(answer.relative_to(folder)) if answer.is_relative_to(folder) else str(answer)
    return Rung(kind=kind, pid=target.pid, answered=True, seconds=seconds, file=file)


def _flight(target: Target, _folder: Path, _limit_s: float) -> Path | str:
    if target.flight_record is None or not target.flight_record.exists():
        return "the process has opened no flight record: it ended, or hangs, before the agent was set up"
    return target.flight_record


def _loop(target: Target, _folder: Path, limit_s: float) -> Path | str:
    return (
        target.ask_loop(limit_s)
        or target.failure()
        or f"the event loop did not answer within {limit_s:g} s: it is blocked, or was never started"
    )


def _thread(target: Target, _folder: Path, limit_s: float) -> Path | str:
    return (
        target.ask_thread(limit_s)
        or target.failure()
        or f"the agent's native thread did not answer within {limit_s:g} s: "
        "the GIL is held or hardly ever free, or the process has ended"
    )


def _memory(target: Target, _folder: Path, limit_s: float) -> Path | str:
    return target.read_memory(limit_s)


def _faulthandler(target: Target, _folder: Path, limit_s: float) -> Path | str:
    path = target.faulthandler_file
    if not path.exists():
        return "the agent has registered no faulthandler in this process"  # its signal would end the process
    before = path.stat().st_size
    target.send_signal()
    if _wait_for_growth(path, before, limit_s=limit_s):
        return path
    return f"faulthandler wrote nothing within {limit_s:g} s: the signal is blocked, or the process has ended"


def _debugger(target: Target, folder: Path, limit_s: float) -> Path | str:
    answer = ptrace.look(target.pid, limit_s=limit_s)
    if answer.refusal:
        return answer.refusal
    path = folder / f"debugger-{target.pid}.{'json' if answer.is_json else 'txt'}"
    path.write_text(answer.text, "utf-8")
    return path


def _kernel(target: Target, folder: Path, _limit_s: float) -> Path | str:
    if sys.platform != "linux":
        return f"{sys.platform} does not have /proc: run on Linux to see the state of threads and sockets"
    path = folder / f"kernel-{target.pid}.json"
    path.write_text(json.dumps(kernel.look(target.pid), indent=1), "utf-8")
    return path


def _wait_for_growth(path: Path, before: int, *, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    size, since = before, time.monotonic()
    while time.monotonic() < deadline:
        now = path.stat().st_size
        if now != size:
            size, since = now, time.monotonic()
        elif size > before and time.monotonic() - since >= SETTLE_S:
            return True
        time.sleep(POLL_S)
    return size > before


_ASK: dict[RungKind, Callable[[Target, Path, float], Path | str]] = {
    RungKind.FLIGHT: _flight,
    RungKind.LOOP: _loop,
    RungKind.MEMORY: _memory,
    RungKind.THREAD: _thread,
    RungKind.FAULTHANDLER: _faulthandler,
    RungKind.DEBUGGER: _debugger,
    RungKind.KERNEL: _kernel,
}
