"""The two hearts of the agent: a native thread, and a timer in the event loop. Both also answer the judge's questions.

The native thread must not create containers in its steady state: allocations start garbage collections, and a
finalizer of the scenario that ran on this thread would be an experiment of our own making.
"""

import _thread
import os
import time

from repro_agent import amplifier, collector, flight, rounds
from repro_agent import layout as at

NATIVE_PERIOD_S = 0.1
LOOP_PERIOD_S = 0.2

_sleep, _start_new_thread = time.sleep, _thread.start_new_thread  # as they are before anything is patched
_faulthandler = None if flight.IS_RIDING else flight.borrow("faulthandler")
_get_ident = _thread.get_ident  # gevent's own gives a greenlet's
_main_ident = 0
_runner = None
_attached_pid = 0
_native_pid = 0


def start_native():
    """Start the native thread of this process, and let ``faulthandler`` answer the signal that the judge names."""
    global _main_ident, _native_pid
    _main_ident, _native_pid = _get_ident(), os.getpid()
    _register()
    _start(_beat_natively, flight.record)


def start_native_late():
    """In a forked child: start it once the child has turned out to stay; until then it leaves no file."""
    global _main_ident, _native_pid
    _main_ident, _native_pid = _get_ident(), os.getpid()
    _start(_beat_late)


def _start(beat, *arguments):
    """A thread that cannot be started, for the limit of processes, is missed as a rung of evidence alone."""
    try:
        _start_new_thread(beat, arguments)
    except RuntimeError:
        pass


def _beat_late():
    _sleep(at.LATE_S)
    record = flight.open_late()
    if not record.is_blind:
        _register()
        _beat_natively(record)


def _register():
    """Let ``faulthandler`` write where it is looked for; without that file nobody sends the signal."""
    path = os.path.join(flight.FOLDER, "faulthandler-%d.txt" % os.getpid())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        _faulthandler.enable(descriptor)
        _faulthandler.register(int(os.environ["REPRO_STACKS_SIGNAL"]), descriptor, all_threads=True)
    except OSError:
        pass


def attach(runner=None, role=at.ROLE_LOCAL):
    """Beat from the event loop of this thread from now on; with ``runner``, the judge's stop makes it quit."""
    global _runner, _attached_pid
    if runner is not None:
        _runner = runner
        flight.record.words[at.H_ROLE] = role
        _begin_again()
    if _attached_pid == os.getpid():
        return
    _attached_pid = os.getpid()
    import gevent
    from repro_agent.stacks import greenlets  # noqa: F401  # now: in a frozen process nothing can be imported any more

    timer = gevent.get_hub().loop.timer(LOOP_PERIOD_S, LOOP_PERIOD_S, ref=False)
    timer.start(_beat_in_loop)
    attach.timer = timer  # kept: a timer that is collected stops
    is_native_due = runner is not None and _native_pid != os.getpid()  # it has forked what it was to fork
    if is_native_due and not flight.IS_RIDING:  # somebody's own program gets no thread of ours
        start_native()
    flight.record.phase(at.PHASE_READY)
    _beat_in_loop()


def _begin_again():
    """A program that drives Locust itself may make a runner after it told one to quit: that one's stop is over."""
    record = flight.record
    if record.floats[at.H_STOP_AT]:
        record.floats[at.H_STOP_AT] = 0.0
        record.words[at.H_STOPPED_BY_SIGNAL] = 0
        record.words[at.H_PHASE] = at.PHASE_READY


def note_stop(*, by_signal=False):
    """The runner quits, by whomever it was asked."""
    record = flight.record
    if not record.floats[at.H_STOP_AT]:
        record.floats[at.H_STOP_AT] = flight.monotonic()
        record.words[at.H_STOPPED_BY_SIGNAL] = by_signal
    record.phase(at.PHASE_STOPPING)


def _beat_natively(record):
    words, floats = record.words, record.floats
    words[at.H_NATIVE_TID] = getattr(_thread, "get_native_id", int)()
    answered = 0
    while True:
        floats[at.H_NATIVE_AT] = flight.monotonic()
        words[at.H_NATIVE_BEATS] += 1
        if words[at.H_THREAD_DUMP_ASKED] != answered:
            answered = words[at.H_THREAD_DUMP_ASKED]
            if not _answer("thread", record):
                words[at.H_THREAD_DUMP_FAILED] = answered
            words[at.H_THREAD_DUMP_DONE] = answered
        _sleep(NATIVE_PERIOD_S)


def _beat_in_loop():
    record = flight.record
    words, floats = record.words, record.floats
    floats[at.H_LOOP_AT] = flight.monotonic()
    words[at.H_LOOP_BEATS] += 1
    collector.beat()
    amplifier.beat()
    rounds.beat(_runner, note_stop)
    if words[at.H_STOP_ASKED] and not floats[at.H_STOP_AT]:
        _begin_stop()
    asked = words[at.H_LOOP_DUMP_ASKED]
    if asked != words[at.H_LOOP_DUMP_DONE]:
        floats[at.H_DUMPING_AT] = floats[at.H_LOOP_AT]
        if not _answer("loop", record):
            words[at.H_LOOP_DUMP_FAILED] = asked
        words[at.H_LOOP_DUMP_DONE] = asked
        floats[at.H_LOOP_AT] = flight.monotonic()  # it was we who held it up
        floats[at.H_DUMPED_S] += floats[at.H_LOOP_AT] - floats[at.H_DUMPING_AT]
        floats[at.H_DUMPING_AT] = 0.0


def _begin_stop():
    """Let the runner quit in a greenlet of its own, as Locust does when its run-time limit is reached."""
    note_stop()
    if _runner is not None:
        import gevent

        gevent.spawn(_runner.quit)


def _answer(rung, record):
    """Write the greenlets' stacks as this rung sees them; whether that went well. The error is kept if it can be."""
    path = os.path.join(flight.FOLDER, "greenlets-%s-%d.json" % (rung, os.getpid()))
    try:
        from repro_agent import hooks
        from repro_agent.stacks import greenlets

        greenlets.main_ident = _main_ident or greenlets.main_ident
        dump = greenlets.dump_from_loop if rung == "loop" else greenlets.dump_from_thread
        dump(path, slot_of=hooks.number_of)
    except BaseException as error:
        record.words[at.H_DUMP_ERRNO] = getattr(error, "errno", None) or 0
        _keep(error, path)
        return False
    return True


def _keep(error, path):
    """Write the error in the answer's place, and free what was written of it: a full disk may have room for no more."""
    _remove(path + ".partial")
    _remove(path)  # an earlier answer is none to this question
    try:
        with open(path + ".error", "w") as file:
            file.write("%s: %s" % (type(error).__name__, error))
    except OSError:
        pass


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass
