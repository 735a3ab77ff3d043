"""Watches one trial from outside until it is decided: samples it, asks for stacks when the judge needs, stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from repro.agent.layout import NO_RECORD
from repro.core.course.exposure import Tick
from repro.core.course.longest_wait import LongestWait
from repro.core.judge.judge import Decision, Judge, Step
from repro.core.judge.samples import BackendHealth, Examination, Reading, Role, Sample
from repro.orchestration.trial.status import Stage
from repro.world.collecting.flight import Fleet, refused
from repro.world.processes.door import Child
from repro.world.processes.meter import Meter, QueueMeter
from repro.world.processes.output import CappedOutput

PERIOD_S = 0.1
TRIM_EVERY = 5
FINE_SAMPLES = 600
"""The samples of the first minute are all kept: short trials are read closely."""
GRAIN_S = 1.0
RATE_S = 2.0
MOST_SAMPLES = 7200
"""A timeline shows an hour at most; of what comes later the last sample alone is kept."""


class CancelledError(Exception):
    """The run was interrupted while this trial was under way."""


@dataclass
class TrialProgress:
    """What had passed by each sample, the raw of a timeline and of the exposure, and the longest wait seen.

    Of older samples the last of each ``GRAIN_S`` is kept: a trial may run for days, and is sampled ten times a second.
    """

    samples: list[Tick] = field(default_factory=list)
    longest_wait: LongestWait = field(default_factory=LongestWait)

    def add(self, sample: Sample) -> None:
        """Note a sample."""
        living = [reading for reading in sample.readings if reading.pid in sample.cpu_s]
        users = sum(1 for reading in living for slot in reading.slots if slot.is_user)
        if self._is_dense(sample.now):
            self.samples.pop()
        self.samples.append(
            Tick(
                now=sample.now,
                ended=sum(reading.ended for reading in sample.readings),
                alive=users,
                stops=sum(reading.stops for reading in sample.readings),
                collections=sum(reading.collections.begun for reading in sample.readings),
            )
        )
        self.longest_wait.observe(living, sample.now)

    @property
    def ended(self) -> int:
        """Operations ended so far."""
        return self.samples[-1].ended

    @property
    def per_s(self) -> float:
        """Operations ended a second, over the last ``RATE_S``."""
        last = self.samples[-1]
        before = next((tick for tick in reversed(self.samples) if last.now - tick.now >= RATE_S), self.samples[0])
        return (last.ended - before.ended) / (last.now - before.now) if last.now > before.now else 0.0

    def _is_dense(self, now: float) -> bool:
        """Whether the last sample tells nothing that the one before it and the next do not."""
        count = len(self.samples)
        return count >= MOST_SAMPLES or (count > FINE_SAMPLES and now - self.samples[-2].now < GRAIN_S)


@dataclass
class Watcher:
    """One trial under watch; ``cancelled`` ends it.

    ``examine`` asks what users are parked on, ``health`` is the backend's. ``between`` are the processes of ours
    between the cell and the backend. ``on_stage`` is told after each sample what the trial is at; it must not wait.
    """

    child: Child
    fleet: Fleet
    judge: Judge
    outputs: tuple[CappedOutput, ...]
    health: Callable[[], BackendHealth]
    examine: Callable[[Fleet], Examination]
    on_load: Callable[[], None]
    cancelled: threading.Event
    between: tuple[int, ...] = ()
    on_stage: Callable[[Stage], object] = lambda _: None
    progress: TrialProgress = field(default_factory=TrialProgress)
    meter: Meter = field(default_factory=Meter)
    queue_meter: QueueMeter = field(default_factory=QueueMeter)
    last: Sample | None = None
    is_told_to_stop: bool = False

    def until_decided(self) -> Decision:
        """Watch until the judge decides.

        Raises:
            CancelledError: the run was interrupted meanwhile.
        """
        rounds = 0
        has_load = False
        while True:
            sample = self.sample()
            if not has_load and any(reading.load_at for reading in sample.readings):
                has_load = True
                self.on_load()
            self.on_stage(self._stage(sample))
            step = self.judge.observe(sample)
            if isinstance(step, Decision):
                return step
            self._do(step)
            rounds += 1
            if rounds % TRIM_EVERY == 0:
                for output in self.outputs:
                    output.trim()
            if self.cancelled.wait(PERIOD_S):
                raise CancelledError

    def sample(self) -> Sample:
        """Everything that is known now."""
        exit_code = self.child.poll()
        readings = self.fleet.read()
        if exit_code == NO_RECORD and not readings:
            raise refused(self.fleet.folder, 0)
        pids = {reading.pid for reading in readings} | ({self.child.pid} if exit_code is None else set())
        backend = self.health()
        beside = {*backend.pids, *self.between}
        denied_s = self.queue_meter.denied_seconds(pids | beside)
        sample = Sample(
            now=time.monotonic(),
            readings=readings,
            cpu_s=self.meter.cpu_seconds(pids),
            exit_code=exit_code,
            backend=backend,
            denied_s={pid: seconds for pid, seconds in denied_s.items() if pid not in beside},
            denied_beside_s={pid: seconds for pid, seconds in denied_s.items() if pid in beside},
        )
        self.progress.add(sample)
        self.last = sample
        return sample

    def until_recovered(self, decision: Decision, *, limit_s: float) -> float | None:
        """Go on past the verdict: seconds after it until none that was stuck still is, None when some still are."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            sample = self.sample()
            if sample.exit_code is not None or not _still_stuck(decision, sample.readings):
                return sample.now - decision.at
            if self.cancelled.wait(PERIOD_S):
                raise CancelledError
        return None

    def _stage(self, sample: Sample) -> Stage:
        if self.is_told_to_stop or sample.quit_at is not None:
            return Stage.STOPPING
        return Stage.STARTING if sample.load_at is None else Stage.LOAD

    def _do(self, step: Step) -> None:
        if step is Step.EXAMINE:
            self.judge.learn(self.examine(self.fleet))
        elif step is Step.ASK_STOP:
            self.is_told_to_stop = True
            for record in self.fleet.records():
                if record.read().role is not Role.WORKER:  # a worker is stopped by its master
                    record.ask_stop()


def _still_stuck(decision: Decision, readings: tuple[Reading, ...]) -> bool:
    """Whether any of the users that were stuck is still in the same operation, or as quiet as it was."""
    quiet = {(reading.pid, slot.number): slot.quiet_since for reading in readings for slot in reading.slots}
    return any(quiet.get((user.pid, user.slot.number)) == user.slot.quiet_since for user in decision.stuck)
