"""The judge: takes the samples of a trial one by one, and says what to do next or what the trial came to.

    sample ──▶ Judge.observe ──▶ GO_ON · EXAMINE (stacks are needed to decide) · ASK_STOP (the load is over) · Decision

Pure: it has no clock but the samples'. A user is *suspect* when it has been quiet for longer than its operation may be
by its own long poll; what its greenlet is parked on then decides, and a lock only when two looks find nobody moved.
The load goes on until everybody who was quiet shortly before its end has moved, sleeps, or is judged: `clean` means that
every user was seen to get on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from repro.core.evidence import Examination, Parked, ParkedOn, Reading, Role, Sample, Slot
from repro.core.verdict import BURNING_CORES, Facts, Phase, Row, decide
from repro.model import Limits

EXAMINE_EVERY_S = 1.0
FRESH_S = 2.0
"""A look that is older decides nothing: an answer may have come since."""
CEILING_WAITED_FOR_S = 30.0
"""All attempts of an operation are waited for when they end within this; else the end of the first one settles it."""
LAST_CALL_S = 4.0
"""Whoever has not moved since so long before the end of the load is waited for: a stop would hide that it is stuck."""
LONGEST_EXTENSION_S = 150.0
"""The load is extended while somebody is waited for, at most by this."""
DECLINE_S = 1.0
GRACES = 3
IDLE_CORES = 0.02
START_IDLE_S = 15.0
HISTORY_S = 60.0


class Step(Enum):
    """What the trial has to do before the next sample."""

    GO_ON = "go on"
    EXAMINE = "examine"
    ASK_STOP = "ask stop"


@dataclass(frozen=True)
class Stuck:
    """A user that is stuck: its process, its slot, since when, and what it is parked on where that is known."""

    pid: int
    slot: Slot
    since: float
    parked: Parked | None = None


@dataclass(frozen=True)
class Decision:
    """What a trial came to: the row of the table, the facts it was decided on, and who is stuck."""

    row: Row
    facts: Facts
    stuck: tuple[Stuck, ...]
    at: float
    since: float


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the judge must know of a cell: its seconds of load, whether a fault is between client and backend."""

    seconds: float
    users: int
    is_faulted: bool = False


@dataclass
class _Memory:
    """What is kept from sample to sample."""

    began: float | None = None
    asked_stop: float | None = None
    progress: tuple[int, int] = (0, 0)
    progress_at: float = 0.0
    cpu: list[tuple[float, dict[int, float]]] = field(default_factory=list)
    looks: list[Examination] = field(default_factory=list)
    users: int = 0
    users_fell_at: float = 0.0
    users_grew_at: float = 0.0
    last_call: dict[tuple[int, int], float] | None = None


class Judge:
    """Decides one trial. Feed it ``observe`` with samples and ``learn`` with the examinations that it asks for."""

    def __init__(self, limits: Limits, load: Load) -> None:
        self._limits = limits
        self._load = load
        self._memory = _Memory()

    def observe(self, sample: Sample) -> Step | Decision:
        """What to do now, or the verdict."""
        self._remember(sample)
        suspects = self._suspects(sample)
        stuck = {user: kind for user in suspects if (kind := self._kind(user, sample)) in _STUCK}
        facts = self._facts(sample, list(stuck.values()))
        row = decide(facts)
        if row is not None:
            return self._decision(row, facts, sample, stuck)
        waited_for = self._waited_for(sample)
        if (suspects or waited_for) and self._may_examine(sample.now):
            return Step.EXAMINE
        if self._is_load_over(sample, waited_for):
            self._memory.asked_stop = sample.now
            return Step.ASK_STOP
        return Step.GO_ON

    def learn(self, examination: Examination) -> None:
        """Take an examination's result; the last two are kept."""
        self._memory.looks = [*self._memory.looks[-1:], examination]

    # What is remembered

    def _remember(self, sample: Sample) -> None:
        memory = self._memory
        if memory.began is None:
            memory.began = memory.progress_at = sample.now
        progress = (
            sum(reading.begun for reading in sample.readings),
            sum(reading.ended for reading in sample.readings),
        )
        last_end = max((slot.last_end for reading in sample.readings for slot in reading.slots), default=0.0)
        if progress[1] != memory.progress[1]:
            memory.progress_at = sample.now
        memory.progress_at = max(memory.progress_at, last_end, _load_at(sample) or 0.0)
        memory.progress = progress
        memory.cpu = [entry for entry in memory.cpu if entry[0] > sample.now - HISTORY_S]
        memory.cpu.append((sample.now, dict(sample.cpu_s)))
        users = len(_users(sample))
        if users < memory.users:
            memory.users_fell_at = sample.now
        if users > memory.users:
            memory.users_grew_at = sample.now
        memory.users = users

    def _cores(self, sample: Sample, since: float) -> float:
        """The processor time a second that the busiest process has used since then."""
        then, before = next((entry for entry in self._memory.cpu if entry[0] >= since), self._memory.cpu[-1])
        if sample.now - then < DECLINE_S:
            return 0.0
        used = [cpu - before[pid] for pid, cpu in sample.cpu_s.items() if pid in before]
        return max(used, default=0.0) / (sample.now - then)

    # Who is suspect, and what the looks at the stacks make of it

    def _suspects(self, sample: Sample) -> list[Stuck]:
        found = []
        for reading in sample.readings:
            if reading.pid not in sample.cpu_s:
                continue
            for slot in reading.slots:
                since = slot.began if slot.busy else slot.quiet_since
                poll_s = slot.poll_s if slot.busy else 0.0
                if (slot.busy or slot.is_user) and sample.now - since > poll_s + self._limits.stall_after_s:
                    found.append(Stuck(reading.pid, slot, since, self._last_look(reading.pid, slot)))
        return found

    def _last_look(self, pid: int, slot: Slot) -> Parked | None:
        return self._memory.looks[-1].parked.get((pid, slot.number)) if self._memory.looks else None

    def _may_examine(self, now: float) -> bool:
        return not self._memory.looks or now - self._memory.looks[-1].at >= EXAMINE_EVERY_S

    def _kind(self, user: Stuck, sample: Sample) -> str:
        """What a suspect is for certain: locked, unread, unanswered, or undecided."""
        looks, slot, quiet_s = self._memory.looks, user.slot, sample.now - user.since
        fresh = [look for look in looks if look.at > user.since]
        if not fresh or sample.now - fresh[-1].at > FRESH_S:
            return "undecided"
        is_over = quiet_s > self._bound_s(slot)
        parked = user.parked
        if parked is None or not fresh[-1].answered or parked.on is ParkedOn.UNKNOWN:
            return "unanswered" if slot.busy and is_over and not self._is_loop_silent(sample) else "undecided"
        if parked.on is ParkedOn.SOCKET:
            return self._kind_on_socket(user, fresh, is_over=is_over, sample=sample)
        if parked.on in _LOCKS:
            return "locked" if len(fresh) > 1 and self._is_lock_stuck(user, fresh, sample) else "undecided"
        return "undecided"

    def _kind_on_socket(self, user: Stuck, fresh: list[Examination], *, is_over: bool, sample: Sample) -> str:
        before = fresh[0].parked.get((user.pid, user.slot.number))
        if user.parked is not None and user.parked.is_unread:  # twice: an answer may have come just now
            return "unread" if len(fresh) > 1 and before is not None and before.is_unread else "undecided"
        if user.slot.busy:
            return "unanswered" if is_over else "undecided"
        return "unanswered" if self._is_all_quiet(sample) else "undecided"

    def _is_lock_stuck(self, user: Stuck, fresh: list[Examination], sample: Sample) -> bool:
        """Whether nobody who waited for the same lock has got it between the two looks, and none can be due.

        A holder may be in a long poll, a rendezvous may still wait for users that are being spawned.
        """
        key, parked = (user.pid, user.slot.number), user.parked
        before = fresh[0].parked.get(key)
        if parked is None or before is None or (before.on, before.lock) != (parked.on, parked.lock):
            return False
        longest_poll_s = max((slot.poll_s for _, slot in _users(sample) if slot.busy), default=0.0)
        if sample.now - user.since <= self._limits.stall_after_s + longest_poll_s:
            return False
        if not user.slot.busy and sample.now - self._memory.users_grew_at < self._limits.stall_after_s:
            return False
        if parked.has_timeout or (parked.on is ParkedOn.EVENT and not user.slot.busy):
            return self._is_all_quiet(sample)
        return _waiters(fresh[0], parked.lock) <= _waiters(fresh[-1], parked.lock)

    def _is_asleep(self, user: Stuck, sample: Sample) -> bool:
        """Whether it waits for a timer alone, by a look since the last call, while the event loop turns."""
        looks = self._memory.looks
        if not looks or user.parked is None or self._is_loop_late(sample):
            return False
        return user.parked.on in {ParkedOn.TIMER, ParkedOn.RUNNING} and looks[-1].at > user.since

    def _is_loop_late(self, sample: Sample) -> bool:
        return any(sample.now - reading.loop_at > LAST_CALL_S for reading in _attached(sample))

    def _bound_s(self, slot: Slot) -> float:
        """Seconds of silence after which an operation in flight is past what it may take by its own limits."""
        finite = [limit for limit in (slot.poll_s, slot.attempt_s) if limit != float("inf")]
        return self._limits.stall_after_s + max(
            *finite, min(slot.ceiling_s, CEILING_WAITED_FOR_S) if finite[1:] else 0.0, 0.0
        )

    # The facts

    def _facts(self, sample: Sample, kinds: list[str]) -> Facts:
        load_at = _load_at(sample)
        phase = Phase.START if load_at is None else Phase.LOAD if self._stop_at(sample) is None else Phase.STOPPING
        is_loop_silent = self._is_loop_silent(sample)
        silent_since = (
            min((r.loop_at for r in _attached(sample)), default=0.0) if is_loop_silent else self._memory.progress_at
        )
        ended, failed = (sum(getattr(reading, name) for reading in sample.readings) for name in ("ended", "failed"))
        return Facts(
            phase=phase,
            exit_code=self._exit_code(sample),
            load_s=sample.now - load_at if load_at else 0.0,
            is_script=any(reading.role is Role.SCRIPT for reading in sample.readings),
            start_over=phase is Phase.START and self._is_start_over(sample),
            loop_silent=is_loop_silent,
            native_silent=any(sample.now - r.native_at > self._limits.beat_s for r in _attached(sample) if r.native_at),
            cores=self._cores(sample, silent_since),
            users=len(_users(sample)),
            locked=kinds.count("locked"),
            unread=kinds.count("unread"),
            unanswered=kinds.count("unanswered"),
            no_end=self._is_all_quiet(sample),
            grace_over=phase is Phase.STOPPING and self._is_grace_over(sample),
            ended=ended,
            failed=failed,
            failing_share=self._limits.failing_share,
            is_faulted=self._load.is_faulted,
            backend_alive=sample.backend.is_alive,
            backend_answering=sample.backend.is_answering,
        )

    def _stop_at(self, sample: Sample) -> float | None:
        """When the stop began: by the runner's own quit, or by our asking for it."""
        own = min((reading.stop_at for reading in sample.readings if reading.stop_at), default=None)
        return own if own is not None else self._memory.asked_stop

    def _exit_code(self, sample: Sample) -> int | None:
        """The leader's; a script that has had its time and its grace counts as ended well, for it knows no stop."""
        is_script = any(reading.role is Role.SCRIPT for reading in sample.readings)
        asked = self._memory.asked_stop
        if sample.exit_code is None and is_script and asked is not None and not self._is_loop_silent(sample):
            return 0 if sample.now - asked > DECLINE_S else None
        return sample.exit_code

    def _is_loop_silent(self, sample: Sample) -> bool:
        limit_s = max(self._limits.beat_s, self._limits.stall_after_s)
        for reading in _attached(sample):
            poll_s = max((slot.poll_s for slot in reading.slots if slot.busy), default=0.0)
            if sample.now - reading.loop_at > limit_s + poll_s:
                return True
        return False

    def _is_all_quiet(self, sample: Sample) -> bool:
        """Whether nobody has ended an operation for longer than any one in flight may be silent by its long poll."""
        poll_s = max((slot.poll_s for _, slot in _users(sample) if slot.busy), default=0.0)
        return sample.now - self._memory.progress_at > self._limits.stall_after_s + poll_s

    def _is_start_over(self, sample: Sample) -> bool:
        began = self._memory.began or sample.now
        waited_s = sample.now - began
        is_idle = waited_s > START_IDLE_S and self._cores(sample, sample.now - START_IDLE_S) < IDLE_CORES
        return waited_s > self._limits.start_s or is_idle

    def _waited_for(self, sample: Sample) -> list[Stuck]:
        """The users who have not moved since the last call, and do not sleep; empty until the load's time is over."""
        load_at = _load_at(sample)
        if load_at is None or self._stop_at(sample) is not None:
            return []
        load_s = sample.now - load_at
        if self._memory.last_call is None and load_s >= self._load.seconds - min(LAST_CALL_S, self._load.seconds / 2):
            self._memory.last_call = {(pid, slot.number): slot.quiet_since for pid, slot in _users(sample)}
        if self._memory.last_call is None or load_s < self._load.seconds:
            return []
        unmoved = [
            Stuck(pid, slot, slot.quiet_since, self._last_look(pid, slot))
            for pid, slot in _users(sample)
            if self._memory.last_call.get((pid, slot.number)) == slot.quiet_since
        ]
        return [user for user in unmoved if not self._is_asleep(user, sample)]

    def _is_load_over(self, sample: Sample, waited_for: list[Stuck]) -> bool:
        load_at = _load_at(sample)
        if load_at is None or self._memory.asked_stop is not None or self._stop_at(sample) is not None:
            return False
        over_s = sample.now - load_at - self._load.seconds
        must_wait = bool(waited_for) or self._is_burning(sample)
        return over_s >= 0 and (not must_wait or over_s > LONGEST_EXTENSION_S)

    def _is_burning(self, sample: Sample) -> bool:
        """Whether a core burns and nobody has ended an operation lately: a loop that spins, or one that will come back."""
        quiet_s = sample.now - self._memory.progress_at
        return quiet_s > DECLINE_S and self._cores(sample, self._memory.progress_at) >= BURNING_CORES

    def _is_grace_over(self, sample: Sample) -> bool:
        stop_at = self._stop_at(sample) or sample.now
        stopping_s = sample.now - stop_at
        has_settled = sample.now - self._memory.users_fell_at > DECLINE_S
        grace_s = self._limits.stop_grace_s
        return stopping_s > grace_s and (has_settled or stopping_s > GRACES * grace_s)

    # The decision

    def _decision(self, row: Row, facts: Facts, sample: Sample, stuck: dict[Stuck, str]) -> Decision:
        everybody = tuple(
            Stuck(pid, slot, slot.quiet_since, self._last_look(pid, slot)) for pid, slot in _users(sample)
        )
        stuck_users = (
            tuple(stuck) if (facts.locked or facts.unread or facts.unanswered) and not facts.loop_silent else everybody
        )
        return Decision(row, facts, stuck_users, sample.now, self._since(facts, sample, stuck_users))

    def _since(self, facts: Facts, sample: Sample, stuck: tuple[Stuck, ...]) -> float:
        if facts.loop_silent:
            return min(reading.loop_at for reading in _attached(sample))
        if facts.grace_over:
            return self._stop_at(sample) or sample.now
        if facts.no_end and not (facts.locked or facts.unread or facts.unanswered):
            return self._memory.progress_at
        return min((user.since for user in stuck), default=self._memory.began or sample.now)


_STUCK = frozenset({"locked", "unread", "unanswered"})
_LOCKS = frozenset({ParkedOn.LOCK, ParkedOn.EVENT, ParkedOn.NOTHING})


def _load_at(sample: Sample) -> float | None:
    return min((reading.load_at for reading in sample.readings if reading.load_at), default=None)


def _attached(sample: Sample) -> list[Reading]:
    """The living processes whose event loop the agent beats from."""
    return [reading for reading in sample.readings if reading.loop_at and reading.pid in sample.cpu_s]


def _users(sample: Sample) -> list[tuple[int, Slot]]:
    """The living users; where the scenario has none, everybody who calls the client."""
    living = [reading for reading in sample.readings if reading.pid in sample.cpu_s]
    everybody = [(reading.pid, slot) for reading in living for slot in reading.slots]
    return [(pid, slot) for pid, slot in everybody if slot.is_user] or [
        (pid, slot) for pid, slot in everybody if slot.busy
    ]


def _waiters(look: Examination, lock: str) -> set[tuple[int, int]]:
    return {key for key, parked in look.parked.items() if parked.lock == lock}
