"""What the judge sees of a trial: flight records, processor time, the backend, and what greenlets are parked on.

All times are seconds of the monotonic clock, which the cell and this program share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from repro.findings import Awaited, Holder

Key = tuple[int, int]
"""A user: its process and its number."""


class Role(IntEnum):
    """What a process of the cell is, as it says in its flight record."""

    NONE = 0
    LOCAL = 1
    MASTER = 2
    WORKER = 3
    SCRIPT = 4


class ParkedOn(StrEnum):
    """What a greenlet waits for; ``ELSEWHERE`` is another thread or process."""

    SOCKET = "socket"
    TIMER = "timer"
    LOCK = "lock"
    EVENT = "event"
    NOTHING = "nothing"
    ELSEWHERE = "elsewhere"
    RUNNING = "running"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Slot:
    """One user, or another greenlet that calls the client, as it stands in the flight record.

    ``busy`` is true while an operation is in flight, which began at ``began``; ``poll_s``, ``attempt_s`` and
    ``ceiling_s`` are what that operation may take: by its long poll, in one attempt, in all attempts (0 unknown, inf
    without a limit). ``killed`` is when the user was told to stop, 0 when it was not. ``owner`` is the number of the
    user that spawned a helper, 0 for whom none did; ``helped`` is how many operations the helpers of a user have ended.
    """

    number: int
    is_user: bool
    busy: bool
    operation: str
    began: float
    last_end: float
    begun: int
    ended: int
    failed: int
    poll_s: float
    attempt_s: float
    ceiling_s: float
    born: float
    killed: float
    greenlet: int
    owner: int = 0
    helped: int = 0

    @property
    def quiet_since(self) -> float:
        """When this user was last seen to do something: begin an operation, end one, or be born."""
        return max(self.began, self.last_end, self.born)


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that ended a greenlet or a task: its text, and the place that tells most, in the program if any.

    ``is_greenlet``: it ended a greenlet other than a user's.
    """

    error: str
    file: str
    line: int
    function: str
    is_greenlet: bool = False


@dataclass(frozen=True, slots=True)
class Deaths:
    """The greenlets of a process that died of an exception: ``starting_users`` are among the ``others``.

    ``lost_exits`` are the users' GreenletExits that another exception replaced on their way.
    """

    users: int = 0
    others: int = 0
    starting_users: int = 0
    lost_exits: int = 0


@dataclass(frozen=True, slots=True)
class Collections:
    """The garbage collections of a process: ``begun`` and ``ended`` so far, the last of which began at ``began``.

    ``beats``: how often the event loop has turned while that one was under way in its own thread (``in_main``), which
    it does only where a finalizer gives way. ``thresholds`` are the collector's; empty where the record does not say.
    """

    begun: int = 0
    ended: int = 0
    began: float = 0.0
    in_main: bool = False
    beats: int = 0
    thresholds: tuple[int, ...] = ()

    @property
    def is_under_way(self) -> bool:
        """Whether one has begun and not ended."""
        return self.begun != self.ended


@dataclass(frozen=True, slots=True)
class Reading:
    """One process's flight record at one moment. ``slots`` are the living users; the totals count the gone ones too.

    ``iterations`` are the tasks that Locust's users began, ``iteration_errors`` those that ended by an exception;
    ``raised`` is what a greenlet or a task last died of. ``stopped_by_signal``: the runner quits because a signal told
    it to. ``is_program``: it is a plain program, with Locust or without, which ends when it likes. ``load_ended_at`` is
    when a runner stopped its users without quitting, ``quit_done_at`` when one had quit, 0 before; ``exit_asked`` is
    the exit code that Locust asks for by itself, where requests failed or the program set one. ``dumping_at``: since
    when the event loop writes the stacks that it was asked for, 0 while it writes none; ``dumped_s`` are the seconds
    that it has spent on that so far. ``stops`` counts the users that were told to stop, ``rounds`` how often all were
    and began again, ``amplified`` the moments that came because of each knob of an amplification. ``wanted`` pairs
    kinds with names: a ``queue``, ``bucket`` or ``table`` that a call asked for and was not there, an address other
    than the backend's that a client has ``asked`` or that has ``failed``.
    """

    pid: int
    parent: int
    phase: int
    role: Role
    started: float
    native_at: float
    loop_beats: int
    loop_at: float
    load_at: float
    stop_at: float
    begun: int
    ended: int
    failed: int
    budget_refusals: int
    error: str
    slots: tuple[Slot, ...]
    deaths: Deaths = Deaths()
    iterations: int = 0
    iteration_errors: int = 0
    raised: Raised | None = None
    stopped_by_signal: bool = False
    is_program: bool = False
    load_ended_at: float = 0.0
    quit_done_at: float = 0.0
    exit_asked: int | None = None
    dumping_at: float = 0.0
    dumped_s: float = 0.0
    stops: int = 0
    rounds: int = 0
    amplified: Mapping[str, int] = field(default_factory=dict)
    collections: Collections = Collections()
    wanted: tuple[tuple[str, str], ...] = ()

    @property
    def numbers(self) -> Mapping[int, int]:
        """By the id of a greenlet the number of the user that runs in it."""
        return {slot.greenlet: slot.number for slot in self.slots}

    @property
    def turned_at(self) -> float:
        """When the event loop was last seen to turn: by its own beat, or by a user that ended an operation."""
        return max(self.loop_at, max((slot.last_end for slot in self.slots if slot.is_user), default=0.0))


@dataclass(frozen=True, slots=True)
class Parked:
    """What one greenlet is parked on, from its stack.

    ``lock``         identifies the lock
    ``holder``       who holds it; None where that cannot be known
    ``unread``       how many bytes lie unread in its socket; the other side's end counts as one
    ``is_unserved``  what it sent to the backend lies unread there, or the connection is not accepted yet
    ``left_s``       seconds until its own timer or timeout fires; infinite where it has none, or that is not known
    ``root``         what the last one in the chain of holders waits for: it alone could begin to free the others. None
                     where the chain is a circle, or leads to one that has ended or is not known
    ``root_user``    the number of that user
    ``root_left_s``  seconds until that user's timer fires
    ``inside``       the number of the user in the ``with`` block of the lock, who leaves it if it makes progress
    """

    on: ParkedOn
    wait: Awaited | None = None
    lock: str = ""
    holder: Holder | None = None
    unread: int = 0
    has_timeout: bool = False
    left_s: float = float("inf")
    root: ParkedOn | None = None
    root_user: int | None = None
    root_left_s: float = float("inf")
    inside: int | None = None
    is_unserved: bool = False


class Standing(StrEnum):
    """What a program without users that does nothing was found in.

    ``LOCKED``: its threads stand in native locks that none of them can free. ``PARKED``: its greenlets wait for each
    other alone. ``UNSERVED``: greenlets wait to begin, and their event loop does not turn. ``BLOCKED``: its main thread
    is in a call that may return. ``WAITING``: its event loop, or a child, may wake it. ``RUNNING``: it computes. The
    first in this order tells most where there are several processes.
    """

    LOCKED = "locked"
    PARKED = "parked"
    UNSERVED = "unserved"
    BLOCKED = "blocked"
    RUNNING = "running"
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Examination:
    """A look at the greenlets' stacks: what each user is parked on, by process and number of the user.

    ``stirring`` are the processes in which a user, or another greenlet of the program's own, sleeps for a while: it
    might do what others wait for. ``at`` is when the look ended; ``read_at`` is when each process read its stacks,
    which on a busy machine is so much earlier that a user may have moved since. ``beats`` is how often each process's
    event loop had turned by then. ``standing`` says of the processes that have no users what they were found in.
    """

    at: float
    parked: Mapping[Key, Parked]
    answered: bool = True
    stirring: frozenset[int] = frozenset()
    read_at: Mapping[int, float] = field(default_factory=dict)
    beats: Mapping[int, int] = field(default_factory=dict)
    standing: Mapping[int, Standing] = field(default_factory=dict)

    @property
    def took_s(self) -> float:
        """Seconds from the first stack that was read to the end of the look."""
        return self.at - min(self.read_at.values(), default=self.at)

    def seen_at(self, pid: int) -> float:
        """The moment that the stacks of this process show."""
        return self.read_at.get(pid, self.at)


@dataclass(frozen=True, slots=True)
class BackendHealth:
    """The backend by its own connection: alive, answering, and why it does not.

    ``overflows`` counts the connections that the kernel has dropped because the backend's queue of new ones was
    full.
    ``pids`` are its processes, as far as they are ours. ``requests`` are those of the load that it has logged, None
    where it keeps no log.
    """

    is_alive: bool = True
    is_answering: bool = True
    reason: str = ""
    overflows: int = 0
    pids: tuple[int, ...] = ()
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """All that is known of a trial at one moment.

    ``cpu_s`` maps a living process to the processor time that it has used; a process that is not there is gone.
    ``exit_code`` is the leader's, None while it lives. ``denied_s`` are the seconds for which the cell's processes have
    waited for a processor, ``denied_beside_s`` those of the backend and of the proxy before it: both empty where the
    kernel does not say.
    """

    now: float
    readings: tuple[Reading, ...]
    cpu_s: Mapping[int, float]
    exit_code: int | None = None
    backend: BackendHealth = field(default_factory=BackendHealth)
    denied_s: Mapping[int, float] = field(default_factory=dict)
    denied_beside_s: Mapping[int, float] = field(default_factory=dict)

    @property
    def living(self) -> tuple[Reading, ...]:
        """The processes that are there."""
        return tuple(reading for reading in self.readings if reading.pid in self.cpu_s)

    @property
    def attached(self) -> tuple[Reading, ...]:
        """The living processes whose event loop the agent beats from."""
        return tuple(reading for reading in self.living if reading.loop_at)

    @property
    def load_at(self) -> float | None:
        """When the load began, None before."""
        return min((reading.load_at for reading in self.readings if reading.load_at), default=None)

    @property
    def quit_at(self) -> float | None:
        """When a runner began to quit by itself or by a signal, None before."""
        return min((reading.stop_at for reading in self.readings if reading.stop_at), default=None)

    @property
    def loop_beats(self) -> dict[int, int]:
        """How often each process's event loop has turned."""
        return {reading.pid: reading.loop_beats for reading in self.readings}
