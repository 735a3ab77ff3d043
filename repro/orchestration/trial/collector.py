"""Asks a cell for its stacks: quickly while the judge decides, and up the whole ladder once a trial is decided."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro.core.causes.known_causes import Cause, Sighting, match
from repro.core.diagnosis.standstill import KernelThread, standing_of
from repro.core.hang.dump import Dump, document, read_dump
from repro.core.hang.facts import does_main_stand, facts_of, frames_of_who_is_left
from repro.core.hang.findings import Circumstances, findings_of, modules_of
from repro.core.hang.fingerprint import telltale
from repro.core.hang.frames import Frame, gil_owner, main_frames, read_debugger, read_faulthandler
from repro.core.hang.groups import View, seen_frames, telling_stacks, unwoken_frames
from repro.core.hang.swallowed import swallowed
from repro.core.hang.waits import SocketState, is_stirring, parked
from repro.core.judge.judge import Decision
from repro.core.judge.locks import PATIENCE_S
from repro.core.judge.samples import Examination, Parked, Standing
from repro.findings import BackendFindings, GilOwner
from repro.model import HangClass, Rung, RungKind, Verdict
from repro.orchestration.trial.trial import STACKS_SIGNAL, Investigation, Scene
from repro.world.collecting import kernel
from repro.world.collecting.flight import Fleet, FlightRecord
from repro.world.collecting.ladder import Target, climb_all
from repro.world.collecting.memory import MemoryReading
from repro.world.collecting.sockets import sockets_of
from repro.world.memory.reader import MODE

EXAMINATION_S = 1.5
EXAMINED_A_SECOND = 1000
"""Users whose stacks an event loop writes in a second, on a busy machine: so much longer a crowd's are waited for."""
THREAD_S = 1.0
POLL_S = 0.02
POLLS_WITHIN_S = 1.5
"""A main thread that polls comes back to its loop so often at least: Celery's transports poll once a second."""
OUTPUT_READ_BYTES = 2_000_000
SILENT_AFTER_S = 2.0
"""Both hearts beat several times a second; on a starved machine a beat may be late by a second."""


def examine(fleet: Fleet, *, beat_s: float, users: int = 0, backend_port: int = 0) -> Examination:
    """What every user is parked on, by the event loops' own dumps; one that does not answer in time is left out.

    A loop that has not turned for ``beat_s`` seconds is no longer waited for: the judge has only to see that it stands.
    ``backend_port`` is where the backend listens on this machine, 0 where it does not.
    """
    look = _Look(backend_port)
    for record in fleet.records():
        dump = dump_of(record, beat_s=beat_s, users=users)
        if dump is not None:
            look.add(record, dump)
        if not any(slot.is_user for slot in record.read().slots):
            threads = kernel.threads_of(record.pid, left_out=record.native_tid())
            if threads:  # a process that has ended stands in nothing
                look.standing[record.pid] = _standing(record, dump, threads)
    return look.examination()


def _standing(record: FlightRecord, dump: Dump | None, threads: Sequence[KernelThread]) -> Standing:
    """In what one process was found; greenlets that wait for the end of a single call may yet begin after it."""
    listens = bool(_listening_at(record.pid))
    found = standing_of(dump or _thread_dump_of(record), threads, listens=listens)
    if found is Standing.UNSERVED and not kernel.main_thread_moves(record.pid, within_s=POLLS_WITHIN_S):
        return Standing.BLOCKED
    return found


def examination_of(record: FlightRecord, dump: Dump) -> Examination:
    """What the users of one process are parked on, by stacks that were read already."""
    look = _Look()
    look.add(record, dump)
    return look.examination()


@dataclass
class _Look:
    """A look at all processes as it is made; ``backend_port`` is where the backend listens on this machine, or 0."""

    backend_port: int = 0
    parked: dict[tuple[int, int], Parked] = field(default_factory=dict)
    stirring: set[int] = field(default_factory=set)
    read_at: dict[int, float] = field(default_factory=dict)
    beats: dict[int, int] = field(default_factory=dict)
    standing: dict[int, Standing] = field(default_factory=dict)

    def add(self, record: FlightRecord, dump: Dump) -> None:
        """Take what the event loop of a process has written."""
        self.read_at[record.pid], self.beats[record.pid] = dump.at, record.loop_beats()
        self.parked |= {(record.pid, number): wait for number, wait in self._parked(dump, record.pid).items()}
        self.stirring |= {record.pid} if is_stirring(dump, within_s=PATIENCE_S) else set()

    def _parked(self, dump: Dump, pid: int) -> Mapping[int, Parked]:
        """What its users are parked on; only the backend's own queues tell that it is overrun."""
        sockets = {
            one.fd: SocketState(one.unread, is_unserved=one.is_unserved and one.peer_port == self.backend_port)
            for one in sockets_of(pid)
        }
        return parked(dump, sockets)

    def examination(self) -> Examination:
        """The look as the judge wants it."""
        return Examination(
            at=time.monotonic(),
            parked=self.parked,
            answered=bool(self.read_at),
            stirring=frozenset(self.stirring),
            read_at=self.read_at,
            beats=self.beats,
            standing=self.standing,
        )


def dump_of(record: FlightRecord, *, beat_s: float, users: int) -> Dump | None:
    """The event loop's own dump; None where there is no loop, or it does not answer in time."""
    beat_at = record.loop_beat_at()
    if not beat_at:
        return None
    left_s = beat_at + beat_s - time.monotonic()
    limit_s = max(POLL_S, min(EXAMINATION_S + users / EXAMINED_A_SECOND, left_s))
    return _fresh_dump(record, "loop", lambda: _ask_loop(record), record.loop_dump_done, limit_s)


def _thread_dump_of(record: FlightRecord) -> Dump | None:
    """The native thread's dump; None where there is no such thread, or it does not run."""
    if RungKind.THREAD in _silent(record) or not record.read().native_at:
        return None
    return _fresh_dump(record, "thread", lambda: _ask_thread(record), record.thread_dump_done, THREAD_S)


def _fresh_dump(
    record: FlightRecord, rung: str, ask: Callable[[], int], done: Callable[[], int], limit_s: float
) -> Dump | None:
    """The dump that answers this question, None where it does not come in time or could not be written."""
    path = _ask(ask, done, _dump_file(record, rung), limit_s=limit_s)
    return read_dump(path.read_text("utf-8")) if path is not None else None


class Investigator:
    """Climbs the ladder for a decided trial and says what came to light; knows the causes that have a name."""

    def __init__(self, causes: tuple[Cause, ...]) -> None:
        self._causes = causes

    def __call__(self, decision: Decision, inquiry: Scene) -> Investigation:
        """What explains the decision; for a trial that is not a hang no stacks, but perhaps a known cause."""
        output = _output(inquiry)
        hang_class = decision.row.hang_class
        if decision.row.verdict is Verdict.INCONCLUSIVE:
            return self._of_silence(decision, inquiry, output)
        if hang_class is None:
            seen = Sighting(
                kind=decision.row.verdict.value, versions=inquiry.environment.versions, frames=(), output=output
            )
            around = _circumstances(inquiry, output)
            return Investigation(findings=findings_of(decision, around, cause=match(self._causes, seen)))
        return self._of_hang(hang_class, decision, inquiry, _sight(inquiry, output))

    def _of_silence(self, decision: Decision, inquiry: Scene, output: str) -> Investigation:
        """What is to be seen of a program that did nothing any more, though it does not show why."""
        sight = _sight(inquiry, output)
        views = sight.views(decision)
        around = replace(_circumstances(inquiry, output, views, sight), listens=_listening(inquiry))
        return Investigation(findings=findings_of(decision, around), rungs=sight.rungs)

    def _of_hang(self, hang_class: HangClass, decision: Decision, inquiry: Scene, sight: _Sight) -> Investigation:
        views = sight.views(decision)
        dropped = [item.frames for item in swallowed(sight.output).elements()]
        has_main = does_main_stand(decision)
        main = _main_stack(inquiry, sight) if has_main else ()
        around = _circumstances(inquiry, sight.output, views, sight)
        frames = set(seen_frames(views, dropped=dropped, has_main=has_main))
        frames |= {frame.normalised for frame in main} | set(frames_of_who_is_left(decision, around))
        seen = Sighting(
            kind=hang_class.value,
            versions=inquiry.environment.versions,
            frames=frames,
            unwoken=unwoken_frames(views),
            output=sight.output,
            facts=facts_of(decision, around),
        )
        findings = findings_of(
            decision,
            around,
            cause=match(self._causes, seen),
            stacks=telling_stacks(views, hang_class),
        )
        return Investigation(
            findings=findings,
            rungs=sight.rungs,
            fingerprint=telltale(hang_class, views, dropped=dropped, main_stack=main).fingerprint,
            modules=modules_of(findings),
        )


@dataclass(frozen=True)
class _Sight:
    """What the ladder brought up: its rungs, the cell's output, the agent's dumps, and those ``read`` from memory."""

    rungs: tuple[Rung, ...]
    output: str
    dumps: tuple[Dump, ...]
    read: tuple[Dump, ...] = ()

    def views(self, decision: Decision) -> list[View]:
        """The best stacks of each process, with its stuck users."""
        is_main_away = decision.facts.loop_silent or decision.facts.standing is Standing.LOCKED
        return [
            View(dump, _users(decision, dump.pid), is_loop_silent=is_main_away and dump.mode == MODE)
            for dump in self._best_dumps(decision)
        ]

    def _best_dumps(self, decision: Decision) -> list[Dump]:
        """One dump a process: the event loop's where it answered, unless the main thread itself is what stands."""
        wanted = "thread" if decision.facts.loop_silent or decision.facts.standing is Standing.LOCKED else "loop"
        by_pid: dict[int, Dump] = {}
        for dump in (*self.dumps, *self.read):
            if dump.pid not in by_pid or dump.mode == wanted:
                by_pid[dump.pid] = dump
        return list(by_pid.values())


def _sight(inquiry: Scene, output: str) -> _Sight:
    """Everything that the ladder brings up, climbed for all living processes."""
    read: list[Dump] = []
    rungs = climb_all([_target(record, inquiry, read) for record in _living(inquiry)], folder=inquiry.folder)
    return _Sight(rungs, output, _dumps(inquiry, rungs), tuple(read))


def _target(record: FlightRecord, inquiry: Scene, read: list[Dump]) -> Target:
    """The ways to ask one process; what is read of its memory is added to ``read``."""
    folder = inquiry.folder
    silent = _silent(record)
    reading = MemoryReading(record.pid) if silent else None
    return Target(
        pid=record.pid,
        flight_record=record.path,
        ask_loop=lambda limit_s: _ask(
            lambda: _ask_loop(record), record.loop_dump_done, _dump_file(record, "loop"), limit_s=limit_s
        ),
        ask_thread=lambda limit_s: _ask(
            lambda: _ask_thread(record), record.thread_dump_done, _dump_file(record, "thread"), limit_s=limit_s
        ),
        send_signal=lambda: inquiry.child.signal_one(record.pid, STACKS_SIGNAL),
        faulthandler_file=folder / f"faulthandler-{record.pid}.txt",
        read_memory=lambda limit_s: _kept(
            (reading or MemoryReading(record.pid)).within(limit_s), record=record, read=read
        ),
        silent=silent,
        failure=record.dump_failure,
    )


def _kept(found: Dump | str, *, record: FlightRecord, read: list[Dump]) -> Path | str:
    """The file of what memory told; who is a user stands in the flight record."""
    if isinstance(found, str):
        return found
    dump = found.with_users(record.read().numbers)
    read.append(dump)
    path = _dump_file(record, dump.mode)
    path.write_text(json.dumps(document(dump), indent=1), "utf-8")
    return path


def _silent(record: FlightRecord) -> frozenset[RungKind]:
    """The rungs whose heart has not beaten for so long that waiting for them would only cost time."""
    reading, now = record.read(), time.monotonic()
    beats = ((RungKind.LOOP, reading.loop_at), (RungKind.THREAD, reading.native_at))
    return frozenset(name for name, at in beats if at and now - at > SILENT_AFTER_S)


def _ask_loop(record: FlightRecord) -> int:
    """Ask the event loop, the last answer gone first: it must not be taken for one that cannot be written."""
    if not record.is_loop_asked():
        _dump_file(record, "loop").unlink(missing_ok=True)
    return record.ask_loop_dump()


def _ask_thread(record: FlightRecord) -> int:
    """Ask the native thread, likewise."""
    if not record.is_thread_asked():
        _dump_file(record, "thread").unlink(missing_ok=True)
    return record.ask_thread_dump()


def _ask(ask: Callable[[], int], done: Callable[[], int], path: Path, *, limit_s: float) -> Path | None:
    """Put a question into the flight record, and wait for its answer's file."""
    number = ask()
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if done() >= number:
            return path if path.exists() else None
        time.sleep(POLL_S)
    return None


def _dump_file(record: FlightRecord, rung: str) -> Path:
    return record.path.with_name(f"greenlets-{rung}-{record.pid}.json")


def _listening(inquiry: Scene) -> list[str]:
    """The addresses on which the cell's processes accept connections."""
    return sorted({address for pid in inquiry.child.tree() for address in _listening_at(pid)})


def _listening_at(pid: int) -> set[str]:
    return {socket.local for socket in sockets_of(pid) if socket.state == "listening"}


def _living(inquiry: Scene) -> list[FlightRecord]:
    pids = set(inquiry.child.tree())
    return [record for record in inquiry.fleet.records() if record.pid in pids]


def _dumps(inquiry: Scene, rungs: tuple[Rung, ...]) -> tuple[Dump, ...]:
    dumped = [rung for rung in rungs if rung.answered and rung.kind in {RungKind.LOOP, RungKind.THREAD}]
    return tuple(read_dump((inquiry.folder / rung.file).read_text("utf-8")) for rung in dumped)


def _main_stack(inquiry: Scene, sight: _Sight) -> tuple[Frame, ...]:
    """The main thread's frames, by memory or by faulthandler: both answer even while the GIL is held."""
    for dump in sight.read:
        if dump.main is not None and dump.main.stack:
            return dump.main.stack
    for pid, file in _answers(inquiry, sight.rungs, RungKind.FAULTHANDLER).items():
        return main_frames(read_faulthandler(file.read_text("utf-8", "replace")), pid)
    return ()


def _gil_owner(inquiry: Scene, sight: _Sight) -> GilOwner | None:
    """Who holds the GIL, in the first process where a debugger (which sees C, too) or memory saw somebody hold it."""
    for pid, file in _answers(inquiry, sight.rungs, RungKind.DEBUGGER).items():
        with contextlib.suppress(ValueError):  # another debugger's text, for people
            if owner := gil_owner(read_debugger(file.read_text("utf-8", "replace")), pid):
                return owner
    holders = (dump.gil_holder for dump in sight.read)
    holder = next((thread for thread in holders if thread is not None), None)
    if holder is None:
        return None
    return GilOwner(is_main=holder.is_main, place=holder.stack[-1].place if holder.stack else None)


def _answers(inquiry: Scene, rungs: tuple[Rung, ...], kind: RungKind) -> dict[int, Path]:
    """The file of each process that answered on this rung."""
    return {rung.pid: inquiry.folder / rung.file for rung in rungs if rung.answered and rung.kind is kind}


def _is_stopped(file: Path) -> bool:
    """Whether the kernel's rung found the process stopped by a signal."""
    return json.loads(file.read_text("utf-8")).get("state") in kernel.STOPPED


def _users(decision: Decision, pid: int) -> frozenset[int]:
    return frozenset(user.slot.number for user in decision.stuck if user.pid == pid)


def _circumstances(
    inquiry: Scene, output: str, views: Sequence[View] = (), sight: _Sight | None = None
) -> Circumstances:
    sight = sight or _Sight((), output, ())
    readings = inquiry.fleet.read()
    is_real = inquiry.cell.settings.get("backend") == "aws"  # where addresses are AWS's own, and nothing is made
    return Circumstances(
        load_at=inquiry.load_at,
        users=int(inquiry.cell.settings["users"]),
        seconds=float(inquiry.cell.settings["seconds"]),
        output=output,
        error=next((reading.error for reading in readings if reading.error), ""),
        raised=next((reading.raised for reading in readings if reading.raised), None),
        lost_exits=sum(reading.deaths.lost_exits for reading in readings),
        backend=BackendFindings(
            reason=inquiry.backend.reason,
            open_requests=inquiry.open_requests,
            requests=inquiry.backend.requests,
            refusals=sum(reading.budget_refusals for reading in readings),
        ),
        backend_url=inquiry.backend_url,
        wanted=[] if is_real else [pair for reading in readings for pair in reading.wanted],
        views=views,
        main_stack=_main_stack(inquiry, sight),
        is_stopped=any(_is_stopped(file) for file in _answers(inquiry, sight.rungs, RungKind.KERNEL).values()),
        gil=_gil_owner(inquiry, sight),
    )


def _output(inquiry: Scene) -> str:
    """Both outputs, each from the beginning of a line: one may end in a prompt, and hide a traceback's first line."""
    texts = (output.ending(OUTPUT_READ_BYTES).decode("utf-8", "replace") for output in inquiry.outputs)
    return "".join(text if not text or text.endswith("\n") else f"{text}\n" for text in texts)
