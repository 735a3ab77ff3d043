"""The processes of a watched command in which the agent rides along: each is judged as a trial is, as long as it runs.

    record ─▶ sample ─▶ Judge ─▶ nothing · a look at its stacks · a hang ─▶ Judged

A look is one at its memory, which costs the process nothing. Only where somebody waits for a lock, an event or what
memory does not tell, the event loop is asked: who holds a lock of gevent that names no owner is known inside alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from repro.core.causes.known_causes import Sighting, match
from repro.core.hang.dump import Dump
from repro.core.hang.facts import does_main_stand, facts_of, frames_of_who_is_left
from repro.core.hang.findings import Circumstances, findings_of
from repro.core.hang.groups import View, seen_frames, telling_stacks, unwoken_frames
from repro.core.judge.judge import Decision, Judge, Step
from repro.core.judge.now import Load
from repro.core.judge.samples import Reading, Sample, Slot
from repro.core.judge.table import HANGS
from repro.errors import ReproError, StoreError
from repro.findings import BackendFindings, CauseMatch, Findings, WaitKind
from repro.model import HangClass, Limits, Verdict
from repro.orchestration.attachment import Subject
from repro.orchestration.trial.collector import dump_of, examination_of
from repro.world.collecting import riding
from repro.world.collecting.flight import Fleet, FlightRecord
from repro.world.processes.meter import Meter, QueueMeter
from repro.world.shipped.causes import known_causes

LOOK_EVERY_S = 2.5
TOLD_INSIDE = frozenset({WaitKind.SEMAPHORE, WaitKind.LOCK, WaitKind.EVENT, WaitKind.QUEUE, WaitKind.GREENLET})
"""Of who waits for one of these it matters who holds it, or who is to wake it."""


@dataclass(frozen=True)
class Judged:
    """A hang that the judge found in one process: its class, ``users_stuck`` of its users, what explains it, stacks.

    ``notes`` say what of it could not be seen.
    """

    pid: int
    command: str
    python: str
    packages: Mapping[str, str]
    hang_class: HangClass
    users: int
    users_stuck: int
    findings: Findings
    dumps: tuple[Dump, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """It is one."""
        return Verdict.HANG

    @property
    def cause(self) -> CauseMatch | None:
        """The known cause that fits."""
        return self.findings.cause


@dataclass(frozen=True)
class Overdue:
    """Users whose calls have not returned for longer than a stall takes, of so many; the longest for ``seconds``."""

    users: int
    of: int
    seconds: float


@dataclass
class _Rider:
    """One process: its record and its judge, when its stacks were last looked at, the classes of hang told of it."""

    record: FlightRecord
    judge: Judge
    meter: Meter = field(default_factory=Meter)
    queue_meter: QueueMeter = field(default_factory=QueueMeter)
    looked_at: float = float("-inf")
    has_loop: bool = False
    told: set[HangClass] = field(default_factory=set)
    denied_s: float = 0.0
    turned: tuple[float, float] = (0.0, 0.0)
    """When its loop last turned, and for how long it had been denied a processor by then."""

    def note_turn(self, sample: Sample) -> None:
        """Whether its loop has turned since the sample before."""
        self.denied_s = sum(sample.denied_s.values())
        turned_at = max((reading.loop_at for reading in sample.attached), default=sample.now)
        if turned_at != self.turned[0]:
            self.turned = (turned_at, self.denied_s)

    @property
    def own_silence_s(self) -> float:
        """Seconds since then that count."""
        return time.monotonic() - self.turned[0] - (self.denied_s - self.turned[1]) if self.turned[0] else 0.0


class Riders:
    """All of them; ``subject_of`` gives a process that can be looked at from outside, None for one that cannot."""

    def __init__(self, records: Path, limits: Limits, *, subject_of: Callable[[int], Subject | None]) -> None:
        self._records = records
        self._limits = limits
        self._subject_of = subject_of
        self._fleet = Fleet(records)
        self._riders: dict[Path, _Rider] = {}
        self.ever: int = 0
        """So many processes have opened a record."""

    @property
    def pids(self) -> frozenset[int]:
        """The processes that ride along now."""
        return frozenset(rider.record.pid for rider in self._riders.values())

    def sees_loop(self, pid: int) -> bool:
        """Whether the beats of this process's event loop are seen: they tell better than two looks whether it turns."""
        return any(rider.record.pid == pid and rider.has_loop for rider in self._riders.values())

    def has_turned(self, pid: int, since: float) -> bool:
        """Whether the event loop of this process was seen to turn since then."""
        records = (rider.record for rider in self._riders.values() if rider.record.pid == pid)
        return any(record.loop_beat_at() > since for record in records)

    def own_silence_s(self, pid: int) -> float:
        """Seconds since this process's event loop last turned, without those in which it was denied a processor."""
        return max((rider.own_silence_s for rider in self._riders.values() if rider.record.pid == pid), default=0.0)

    def note_told(self, pid: int, hang_class: HangClass) -> None:
        """A hang of this class was told of this process, by looks from outside: the judge need not tell it again."""
        for rider in self._riders.values():
            if rider.record.pid == pid:
                rider.told.add(hang_class)

    def overdue(self) -> Overdue | None:
        """Who waits in a call now for longer than a stall takes, and was not told as a hang; None for nobody."""
        slots = {key: slot for rider in self._riders.values() for key, slot in _slots(rider).items()}
        return overdue_of(slots, now=time.monotonic(), stall_s=self._limits.stall_after_s)

    def has_ended_calls(self, pid: int, since: float) -> bool:
        """Whether a call of this process was seen to end since then."""
        riders = (rider for rider in self._riders.values() if rider.record.pid == pid)
        return any(slot.last_end > since for rider in riders for slot in _slots(rider).values())

    def notes(self) -> tuple[str, ...]:
        """Why the agent could not come along, where it said so."""
        return riding.excuses(self._records)

    def observe(self) -> list[Judged]:
        """Take a sample of each; the hangs that are new."""
        for record in self._fleet.records():
            if record.path not in self._riders:
                judge = Judge(self._limits, Load(seconds=float("inf"), users=0), table=HANGS)
                self._riders[record.path] = _Rider(record, judge)
                self.ever += 1
        return [found for rider in list(self._riders.values()) if (found := self._observe(rider)) is not None]

    def _observe(self, rider: _Rider) -> Judged | None:
        try:
            sample = _sample(rider)
            if sample is None:
                self._drop(rider)
                return None
            rider.has_loop = bool(sample.attached)
            rider.note_turn(sample)
            step = rider.judge.observe(sample)
            if isinstance(step, Decision):
                return self._judged(rider, step, sample.readings[0])
            if step is Step.EXAMINE and sample.now - rider.looked_at >= LOOK_EVERY_S:
                self._examine(rider, sample.readings[0])
        except StoreError:  # its record was deleted or cut: it is looked at from outside as if it had none
            self._drop(rider)
        return None

    def _drop(self, rider: _Rider) -> None:
        self._riders.pop(rider.record.path, None)
        self._fleet.forget(rider.record)
        riding.forget(self._records, rider.record.pid)

    def _examine(self, rider: _Rider, reading: Reading) -> None:
        dump = self._dump(rider, reading)
        rider.looked_at = time.monotonic()
        if dump is not None:
            rider.judge.learn(examination_of(rider.record, dump))

    def _dump(self, rider: _Rider, reading: Reading) -> Dump | None:
        """Its stacks: from memory, and by its event loop where that knows more, or where memory may not be read."""
        seen = self._from_memory(reading)
        if seen is not None and not _is_more_known_inside(seen):
            return seen
        return dump_of(rider.record, beat_s=self._limits.beat_s, users=len(reading.slots)) or seen

    def _from_memory(self, reading: Reading) -> Dump | None:
        subject = self._subject_of(reading.pid)
        try:
            dump = subject.look().dump if subject is not None else None
        except ReproError:  # it ends just now
            return None
        return dump.with_users(reading.numbers) if dump is not None else None

    def _judged(self, rider: _Rider, decision: Decision, reading: Reading) -> Judged | None:
        hang_class = decision.row.hang_class
        if hang_class is None or hang_class in rider.told:
            return None
        rider.told.add(hang_class)
        memory = self._from_memory(reading)
        dump = memory if decision.facts.loop_silent else self._dump(rider, reading)
        dumps = tuple({one.mode: one for one in (dump, memory) if one is not None}.values())
        subject = self._subject_of(reading.pid)
        packages = subject.packages() if subject is not None else {}
        users = sum(1 for slot in reading.slots if slot.is_user)
        return Judged(
            pid=reading.pid,
            command=subject.command() if subject is not None else "",
            python=dumps[0].python if dumps else "",
            packages=packages,
            hang_class=hang_class,
            users=max(users, decision.users_stuck),
            users_stuck=decision.users_stuck,
            findings=_findings(decision, reading, dumps, packages),
            dumps=dumps,
            notes=(subject.refusal,) if subject is not None and subject.refusal else (),
        )


def _sample(rider: _Rider) -> Sample | None:
    """What is known of the process now, None when it is gone."""
    pid = rider.record.pid
    cpu_s = rider.meter.cpu_seconds([pid])
    if pid not in cpu_s:
        return None
    denied_s = rider.queue_meter.denied_seconds([pid])
    return Sample(now=time.monotonic(), readings=(rider.record.read(),), cpu_s=cpu_s, denied_s=denied_s)


def _slots(rider: _Rider) -> Mapping[tuple[int, int], Slot]:
    """The callers of a process as they stand now; nobody where it has ended or a hang of it was told."""
    if rider.told or not psutil.pid_exists(rider.record.pid):
        return {}
    try:
        return {(rider.record.pid, slot.number): slot for slot in rider.record.read().slots}
    except StoreError:
        return {}


def overdue_of(slots: Mapping[tuple[int, int], Slot], *, now: float, stall_s: float) -> Overdue | None:
    """Who of the callers, by process and number, is in a call that takes longer than ``stall_s`` and its long poll."""
    late = {key: slot.began for key, slot in slots.items() if slot.busy and now - slot.began > stall_s + slot.poll_s}
    return Overdue(len(late), len(slots), now - min(late.values())) if late else None


def _is_more_known_inside(dump: Dump) -> bool:
    users = [one for one in dump.greenlets if one.user is not None]
    return any(one.wait is None or one.wait.kind in TOLD_INSIDE for one in users)


def _findings(decision: Decision, reading: Reading, dumps: tuple[Dump, ...], packages: Mapping[str, str]) -> Findings:
    """What explains the decision, and a known cause that fits; the command's output is its own, and was not read."""
    hang_class = decision.row.hang_class
    if hang_class is None:
        raise ValueError(decision.row.name)
    stuck = frozenset(user.slot.number for user in decision.stuck)
    views = [View(dump, stuck, is_loop_silent=decision.facts.loop_silent) for dump in dumps[:1]]
    mains = [dump.main for dump in dumps if dump.main is not None] if does_main_stand(decision) else []
    main = next(iter(mains), None)
    frames = set(seen_frames(views)) | ({frame.normalised for frame in main.stack} if main is not None else set())
    around = Circumstances(
        load_at=reading.load_at or decision.since,
        users=len(reading.slots),
        seconds=decision.facts.load_s,
        error=reading.error,
        raised=reading.raised,
        lost_exits=reading.deaths.lost_exits,
        backend=BackendFindings(is_probed=False),
        views=views,
        main_stack=main.stack if main is not None else (),
    )
    seen = Sighting(
        kind=hang_class.value,
        versions=packages,
        frames=frames | set(frames_of_who_is_left(decision, around)),
        unwoken=unwoken_frames(views),
        facts=facts_of(decision, around),
    )
    cause = match(known_causes(), seen)
    return findings_of(decision, around, cause=cause, stacks=telling_stacks(views, hang_class))
