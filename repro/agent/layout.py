"""The layout of a flight record: one memory-mapped file a process, written by the agent, read by the judge.

    0 ────────── header: 64 words ──────────▶ names: 64 x 64 bytes ─▶ error: 256 bytes ─▶ slots: N x 16 words
    magic, pid, beats, questions of the judge    operations, by index    the last one        one for each user

A word is eight bytes in native order, an unsigned integer or a float; an aligned word is written by one
store, so the judge never reads half of one. A slot's ``SEQ`` is odd while the slot is being written.
Times are seconds of the monotonic clock, which all processes of a machine share.
"""

MAGIC = 0x315447494C465052  # "RPFLIGT1"
WORD = 8
NAME_BYTES = 64
NAMES = 64
HEADER_WORDS = 64
SLOT_WORDS = 16
ERROR_BYTES = 256
DEATH_BYTES = 1024
NAMES_AT = HEADER_WORDS * WORD
ERROR_AT = NAMES_AT + NAMES * NAME_BYTES  # the last error of an operation, as text
DEATH_AT = ERROR_AT + ERROR_BYTES  # what the last greenlet died of: error, file, line and function, a line each
WANTED_BYTES = 1024
WANTED_AT = DEATH_AT + DEATH_BYTES  # what calls asked for and was not there, and addresses that are not the backend's
SLOTS_AT = WANTED_AT + WANTED_BYTES

# Header words. "f" behind a name: a float.
H_MAGIC, H_PID, H_PARENT, H_SLOTS, H_NAMES = 0, 1, 2, 3, 4
H_PHASE = 5
H_ROLE = 6
H_STARTED = 8  # f
H_NATIVE_BEATS, H_NATIVE_AT = 9, 10  # f
H_LOOP_BEATS, H_LOOP_AT = 11, 12  # f
H_STOP_ASKED = 13  # written by the judge: 1 asks the runner to quit
H_STOP_AT = 14  # f: when the runner's quit began
H_LOOP_DUMP_ASKED, H_LOOP_DUMP_DONE = 15, 16  # the judge counts up, the agent follows
H_THREAD_DUMP_ASKED, H_THREAD_DUMP_DONE = 17, 18
H_LOAD_AT = 19  # f: when the first user began; of a script, the first operation
H_BUDGET_SPENT = 20  # calls of the client that were refused because the run's budget of requests was spent
H_SPAWNED = 21  # when all users were there: f
H_DEATHS = 22  # greenlets that died of an exception and were no users
H_USER_DEATHS = 23  # users that did
H_SPAWNER_DEATHS = 24  # those that were starting users: counted among the deaths too
H_ITERATIONS, H_ITERATION_ERRORS = 25, 26  # tasks of Locust's users: begun, ended by an exception
H_STOPPED_BY_SIGNAL = 27  # 1: the runner quits because of a signal or a Ctrl-C
H_DUMPING_AT = 29  # f: when the event loop began to write the stacks that it is writing, 0 while it writes none
H_DUMPED_S = 30  # f: seconds that the event loop has spent so far on writing stacks
H_NATIVE_TID = 28  # the agent's own thread, as the kernel numbers it; 0 where that is not known
H_STOPS = 33  # users that were told to stop, those that are gone included
H_COLLECTIONS_BEGUN, H_COLLECTIONS_ENDED = 34, 35  # garbage collections; "ended" is the number of the last one begun
H_COLLECTION_AT = 36  # f: when the last one began
H_COLLECTION_IN_MAIN = 37  # 1: it began in the main thread, which runs the event loop
H_COLLECTION_BEATS = 38  # how often the event loop has turned since it began, and before it ended: 0 as a rule
H_THRESHOLDS = 39  # and the two words behind it: the collector's thresholds, as they are at the last collection's end
H_ROUNDS = 42  # how often all users were stopped and started again
H_AMPLIFIED = 43  # and the words behind it: the moments that came because of each knob of AMPLIFIERS
AMPLIFIERS = ("gc", "threads", "stop", "dns")
H_SLOTS_USED = 48  # slots beyond these were never taken
H_UNSEEN_USERS, H_UNSEEN_CALLS = 49, 50  # users, and calls of others, for whom no slot was left
H_LOOP_DUMP_FAILED, H_THREAD_DUMP_FAILED = 51, 52  # the last question whose answer could not be written
H_DUMP_ERRNO = 53  # the system's number of the error for which it could not; 0 for another kind of error
H_RAISED_BY = 58  # which of the counters of deaths and errors what was kept of the last one belongs to
H_LOST_EXITS = 59  # GreenletExits of users that another exception replaced on their way out
H_IS_PROGRAM = 60  # 1: a plain program, which ends when it likes, whether it uses Locust or not
H_LOAD_ENDED_AT = 61  # f: when a runner stopped its users without quitting; 0 while it runs them
H_EXIT_CODE = 62  # one more than the exit code that Locust asks for by itself, for requests that failed; 0 for none
H_QUIT_DONE_AT = 63  # f: when a runner had quit

PHASE_BOOT, PHASE_READY, PHASE_LOAD, PHASE_STOPPING, PHASE_STOPPED = 0, 1, 2, 3, 4
ROLE_NONE, ROLE_LOCAL, ROLE_MASTER, ROLE_WORKER, ROLE_SCRIPT = 0, 1, 2, 3, 4

# Slot words.
S_SEQ = 0
S_STATE = 1
S_KIND = 2  # in the lowest byte; above it: of a helper, the number of the user that spawned it; of a user, how many
# operations its helpers have ended
S_OPERATION = 3  # index into the names
S_BEGAN, S_LAST_END = 4, 5  # f
S_BEGUN, S_ENDED, S_FAILED = 6, 7, 8  # never reset, not by the slot's next user either
S_POLL, S_ATTEMPT, S_CEILING = 9, 10, 11  # f, seconds; what the operation may take; 0 unknown, inf without a limit
S_BORN, S_KILLED = 12, 13  # f; when the user started, when it was told to stop
S_GREENLET = 14  # id() of the greenlet
S_NUMBER = 15  # the user's number, from 1; those who are no users count on from OTHERS_FROM

FREE, IDLE, BUSY = 0, 1, 2
KIND_USER, KIND_OTHER = 1, 2
KIND_BITS = 8
KIND_MASK = (1 << KIND_BITS) - 1
OTHERS_FROM = 1000000

MOST_RECORDS = 256  # of one trial: a program that forks all the time must not fill the disk
MOST_RECORD_BYTES = 256 * 1024 * 1024  # of all of them together
FEWEST_RECORDS = 8  # so many are always allowed, however large they are
UNSEEN_FILE = "flight-unseen.txt"  # a byte for each process that got no record for these bounds
REFUSED = (
    ".refused"  # the ending of a record that the disk did not take; the system's number of the error is its stem's end
)
NO_RECORD = 74  # the exit code of a cell whose record cannot be made: EX_IOERR
LATE_S = 0.5  # a forked child that neither calls the client nor runs a loop gets its record when it is so old
