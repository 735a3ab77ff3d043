"""What explains a trial's verdict, as records, kept with the trial; ``presentation`` alone makes sentences of them.

Imports nothing of ``repro``. Files are named without what differs between environments (``urllib3/connectionpool.py``),
durations are seconds, and the values of the enums are stored: none may ever be changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a trial is: before its first user, under load, told to stop."""

    START = "start"
    LOAD = "load"
    STOPPING = "stopping"


class RowName(StrEnum):
    """The rows of the judge's table, in its order."""

    BACKEND_DIED = "backend-died"
    ENDED_BEFORE_IT_BEGAN = "ended-before-it-began"
    DIED = "died"
    ENDED_WITHOUT_A_CALL = "ended-without-a-call"
    ENDED_BY_ITSELF = "ended-by-itself"
    CUT_SHORT = "cut-short"
    NO_USER_STARTED = "no-user-started"
    ALL_USERS_DIED = "all-users-died"
    ALL_FAILED_BACKEND_SILENT = "all-failed-backend-silent"
    ALL_FAILED = "all-failed"
    OPERATIONS_FAILED = "operations-failed"
    TASKS_FAILED = "tasks-failed"
    NOTHING_SENT = "nothing-sent"
    RAN_AND_ENDED = "ran-and-ended"
    LOOP_STANDS_BURNING = "loop-stands-burning"
    LOOP_STANDS = "loop-stands"
    SILENT_IN_LOCKS = "silent-in-locks"
    SILENT_PARKED = "silent-parked"
    SILENT_UNSERVED = "silent-unserved"
    NEVER_BEGAN_BURNING = "never-began-burning"
    NEVER_BEGAN = "never-began"
    NEVER_BEGAN_UNEXPLAINED = "never-began-unexplained"
    SILENT_UNEXPLAINED = "silent-unexplained"
    LOCKED = "locked"
    UNREAD = "unread"
    BURNING = "burning"
    NO_ANSWER_BACKEND_SILENT = "no-answer-backend-silent"
    NO_ANSWER_BACKEND_OVERRUN = "no-answer-backend-overrun"
    NO_ANSWER = "no-answer"
    AT_CAPACITY = "at-capacity"
    TURNING = "turning"
    WAITED_IN_VAIN = "waited-in-vain"
    USERS_OUTLIVE_THE_STOP = "users-outlive-the-stop"
    PROCESS_OUTLIVES_THE_STOP = "process-outlives-the-stop"


class Ending(StrEnum):
    """Whether a hang ends by itself, and why."""

    GIVES_UP = "gives-up"
    OPERATION_HAS_NO_TIMEOUT = "operation-has-no-timeout"
    TIMEOUT_NOT_SEEN = "timeout-not-seen"
    THREAD_HAS_NO_TIMEOUT = "thread-has-no-timeout"
    WAIT_HAS_NO_TIMEOUT = "wait-has-no-timeout"
    WAIT_BEGINS_AGAIN = "wait-begins-again"
    LOOP_STANDS = "loop-stands"
    LOOP_HAS_NO_WAY_OUT = "loop-has-no-way-out"
    TOLD_ONCE = "told-once"
    NOT_TOLD = "not-told"


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code that somebody stood in: ``code`` is its text where it was read."""

    file: str
    line: int
    function: str
    code: str = ""


class WaitKind(StrEnum):
    """What somebody waits for, as the agent tells it; ``READY`` is about to run, ``HUB`` an event loop's greenlet."""

    SOCKET = "socket"
    TIMER = "timer"
    LOCK = "lock"
    SEMAPHORE = "semaphore"
    EVENT = "event"
    QUEUE = "queue"
    GREENLET = "greenlet"
    NOTHING = "nothing"
    THREAD = "thread"
    PROCESS = "process"
    RUNNING = "running"
    READY = "ready"
    HUB = "hub"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Awaited:
    """What somebody waits for; ``lock`` is how the program calls the lock."""

    kind: WaitKind
    type: str = ""
    is_native: bool = False
    fd: int = -1
    direction: str = ""
    peer: str = ""
    name: str = ""
    lock: str = ""


class Whom(StrEnum):
    """Who somebody is. ``USER`` is every greenlet that calls the client, ``GREENLET`` another one of the program."""

    USER = "user"
    GREENLET = "greenlet"
    MAIN = "main"
    THREAD = "thread"
    ENDED = "ended"


class HeldBy(StrEnum):
    """How it is known who holds a lock: it names its owner, a ``with`` block is open, or an ``acquire`` was passed."""

    OWNER = "owner"
    BLOCK = "block"
    ACQUIRE = "acquire"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, and how that is known: equal ones hold it at the same place of the program.

    ``number`` is the user's, or the thread's own, 0 for others; ``name`` is the function that a greenlet runs, or the
    thread's name: of several greenlets that are not users only their function is told. ``code`` is what takes the lock,
    at the line where the holder stood. Not ``is_certain``: it is a guess, from an ``acquire`` above that line.
    """

    whom: Whom
    number: int = 0
    name: str = ""
    how: HeldBy = HeldBy.OWNER
    code: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody: ``number`` is a user's or a thread's own, ``name`` the function of a greenlet or a thread's name."""

    whom: Whom
    number: int = 0
    name: str = ""


class SpotKind(StrEnum):
    """What stands at a spot: a thread in a call, a greenlet, another thread, one of gevent's, a task of asyncio."""

    CALL = "call"
    GREENLET = "greenlet"
    THREAD = "thread"
    GEVENT_THREAD = "gevent-thread"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where somebody was found, what was waited for there, and who stood there, or called what did."""

    kind: SpotKind
    place: Place
    wait: Awaited | None = None
    who: Who | None = None


@dataclass(frozen=True, slots=True)
class StuckGroup:
    """Users that are stuck alike: how many, where the example was found, and what it waits for unless it runs."""

    count: int
    place: Place | None
    wait: Awaited | None = None
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class Swallowed:
    """One exception that Python dropped: in what, its type, and its normalised frames, the outermost first."""

    where: str
    error: str
    frames: tuple[str, ...]

    @property
    def is_greenlet_exit(self) -> bool:
        """Whether a user's own death was dropped."""
        return self.error.rpartition(".")[2] == "GreenletExit"


class StackOf(StrEnum):
    """Whose a shown stack is."""

    MAIN_THREAD = "main-thread"
    HOLDER = "holder"
    GROUP = "group"
    WORKER = "worker"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A stack that matters, shortened: the outermost frame first, ``is_cut`` where some are left out.

    Of the main thread ``spot`` says where it stands, of a lock's holder ``lock`` and ``holder`` what it holds, of users
    that are stuck alike, and of a pool's workers, ``group`` how many they are.
    """

    of: StackOf
    frames: tuple[Place, ...]
    is_cut: bool = False
    spot: Spot | None = None
    lock: str = ""
    holder: Holder | None = None
    group: StuckGroup | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """So many stuck users that wait for one thing, None where it is not known; who holds it, where that is known."""

    count: int
    wait: Awaited | None
    holder: Holder | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StuckUsers:
    """Those that are stuck: how many, in which operations and on what, the most frequent first.

    ``busy`` have an operation in flight, ``sending`` have begun or ended one lately; ``resolving`` (a name),
    ``connecting`` and ``handshaking`` are those whose connection is not made yet. ``elsewhere`` are the addresses that
    they wait for, where none of it is the backend. ``largest`` is the largest group of those that are stuck alike,
    ``catch`` the handler in the program that swallows the GreenletExit of so many of them. ``is_told``: somebody has
    raised a GreenletExit in one of them.
    """

    count: int = 0
    busy: int = 0
    sending: int = 0
    operations: tuple[tuple[str, int], ...] = ()
    waits: tuple[Waiting, ...] = ()
    resolving: int = 0
    connecting: int = 0
    handshaking: int = 0
    elsewhere: tuple[str, ...] = ()
    largest: StuckGroup | None = None
    catch: tuple[Place, int] | None = None
    is_told: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class GilOwner:
    """The thread that holds the GIL, as a debugger saw it.

    ``place`` is the line of Python in which it stands, ``function`` of ``library`` where that has led to in C, if it
    has a name.
    """

    is_main: bool
    thread: str = ""
    place: Place | None = None
    function: str = ""
    library: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StuckPool:
    """A pool all of whose workers wait without a limit while tasks lie in its queue; ``place`` is where one waits."""

    type: str
    workers: int
    queued: int
    place: Place | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What its processes were seen to do: processor time a second, whether their loops and the agent's threads ran.

    ``has_users`` is whether any were alive, ``never_began`` that the time to begin was over; ``is_unread`` that answers
    lie unread and nobody is known to wait for a lock. ``at`` is where the main thread stands, or what else tells where
    the program does; ``holder`` who holds the native lock that it waits for; ``loop`` where a core burns. ``gil`` is
    who keeps the agent's thread from running. ``listens`` are the addresses on which one that stands still accepts
    connections, ``pools`` those whose queued tasks will never begin.
    """

    cores: float = 0.0
    has_users: bool = False
    never_began: bool = False
    is_loop_silent: bool = False
    is_native_silent: bool = False
    is_turning: bool = False
    is_unread: bool = False
    is_stopped: bool = False
    at: Spot | None = None
    holder: Holder | None = None
    loop: Spot | None = None
    gil: GilOwner | None = None
    listens: tuple[str, ...] = ()
    pools: tuple[StuckPool, ...] = ()


@dataclass(frozen=True, slots=True)
class RaisedAt:
    """An exception that ended a greenlet or a task, and the place that tells most of it.

    ``is_greenlet``: it ended a greenlet other than a user's.
    """

    error: str
    place: Place
    is_greenlet: bool = False


class Lack(StrEnum):
    """What calls asked for: what is not in the account, or an address that is not the backend's."""

    QUEUE = "queue"
    BUCKET = "bucket"
    TABLE = "table"
    ASKED = "asked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of what calls asked for without success, by the name that they gave; ``ASKED`` may have been answered."""

    lack: Lack
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What the program said of its own trouble: in operations that failed, by exceptions, in its output.

    ``error``         the last one of an operation
    ``traceback``     the line of the output's last traceback that says what went wrong
    ``last_words``    that line, or another one that names an error
    ``last_line``     the last line of the output
    ``dropped``       the exception that Python discarded most often
    ``dropped_exit``  the GreenletExit that it discarded most often
    ``lost_exits``    how many GreenletExits another exception, ``raised``, replaced
    """

    error: str = ""
    traceback: str = ""
    last_words: str = ""
    last_line: str = ""
    raised: RaisedAt | None = None
    lost_exits: int = 0
    dropped: tuple[Swallowed, int] | None = None
    dropped_exit: tuple[Swallowed, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendFindings:
    """The backend: why it does not answer, what its own log says, what was not let through to it.

    ``open_requests``  received and not answered; None where it keeps no log
    ``overflows``      connections that the kernel dropped
    ``unserved``       requests that lie in its kernel's queues
    ``requests``       all that have reached it from the load
    ``refusals``       calls beyond the budget of requests
    ``is_probed``      false where nobody asks it, as with somebody's own servers
    """

    reason: str = ""
    open_requests: int | None = None
    overflows: int = 0
    unserved: int = 0
    refusals: int = 0
    is_probed: bool = True
    requests: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unseen:
    """What was not seen, for the bounds of a flight record: users, calls of other greenlets and threads, processes."""

    users: int = 0
    calls: int = 0
    processes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Amplified:
    """What an amplification did in a trial: so many ``moments`` came because of it, and of which knob (``did``).

    ``knob`` is the level, which may have several; an older version did not tell them apart.
    """

    knob: str
    moments: int
    did: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCollection:
    """A garbage collection that had begun ``seconds`` before the verdict and not ended.

    ``turns`` is how often the agent saw the event loop turn meanwhile: one that runs in the loop's own thread
    (``in_main``) lets it turn only where a finalizer gives way.
    """

    seconds: float
    turns: int = 0
    in_main: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseMatch:
    """A known cause that fits, and by what: frames in stacks or that nothing wakes, lines of output, facts, versions.

    ``versions`` are package, version, and which versions are concerned, empty where all are. ``upstream`` is the thread
    to read. ``summary`` is the title in a few words, ``cures`` are requirements (or steps) one of which suffices; an
    older version kept neither.
    """

    id: str
    title: str
    cure: str
    shown_by: str
    upstream: str = ""
    summary: str = ""
    cures: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    unwoken: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    versions: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Why a trial came to its verdict.

    ``row`` of the judge's table held, in ``phase``, ``since_s`` seconds after the load began and for ``silent_s``
    seconds by then; ``load_s`` of the load's ``seconds`` had gone. ``own_end_s`` is the second at which the load ended
    by itself, ``left_s`` the one at which its last user did though nobody had stopped it, 0 where that is not so.
    ``is_left_running``: it is a program that had not ended when its time was over. Counted are operations, and tasks
    (``iterations``).
    """

    row: RowName
    phase: Phase = Phase.LOAD
    since_s: float = 0.0
    silent_s: float = 0.0
    load_s: float = 0.0
    seconds: float = 0.0
    users: int = 0
    ended: int = 0
    failed: int = 0
    iterations: int = 0
    iteration_errors: int = 0
    exit_code: int | None = None
    own_end_s: float = 0.0
    left_s: float = 0.0
    is_left_running: bool = False
    stuck: StuckUsers = StuckUsers()
    program: Program = Program()
    said: Said = Said()
    backend: BackendFindings = BackendFindings()
    unseen: Unseen = Unseen()
    collection: OpenCollection | None = None
    amplified: Amplified | None = None
    cause: CauseMatch | None = None
    wanted: tuple[Wanted, ...] = ()
    stacks: tuple[Stack, ...] = ()
