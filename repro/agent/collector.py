"""Notes in the flight record when a garbage collection begins and ends: two calls, and no container is made.

Python never runs two collections of a process at once. One that has begun and not ended while the event loop turns is
therefore one in which a finalizer gave way to other greenlets.
"""

import _thread
import gc

from repro_agent import amplifier, flight
from repro_agent import layout as at

_get_ident = _thread.get_ident  # gevent's own gives a greenlet's
_main_ident = 0


def install():
    """Note all collections of this process, and of its forks, from now on."""
    global _main_ident
    _main_ident = _get_ident()
    gc.callbacks.append(_note)
    if flight.record.__class__ is flight.Record:  # else it is not opened for this alone
        _note_thresholds(flight.record.words)


def after_fork():
    """In a forked child the thread that forked is the main one."""
    global _main_ident
    _main_ident = _get_ident()


def beat():
    """The event loop turns: note it where a collection of its own thread is under way."""
    words = flight.record.words
    if words[at.H_COLLECTIONS_BEGUN] != words[at.H_COLLECTIONS_ENDED] and words[at.H_COLLECTION_IN_MAIN]:
        words[at.H_COLLECTION_BEATS] += 1


def _note(phase, _info):
    record = flight.record
    if record.__class__ is not flight.Record:  # of a forked child: a collection does not justify opening a file
        return
    words = record.words
    if phase == "start":
        record.floats[at.H_COLLECTION_AT] = flight.monotonic()
        words[at.H_COLLECTION_IN_MAIN] = _get_ident() == _main_ident
        words[at.H_COLLECTION_BEATS] = 0
        words[at.H_COLLECTIONS_BEGUN] += 1
        amplifier.collects()
    else:
        words[at.H_COLLECTIONS_ENDED] = words[at.H_COLLECTIONS_BEGUN]
        _note_thresholds(words)
        amplifier.collected(record)


def _note_thresholds(words):
    first, second, third = gc.get_threshold()
    words[at.H_THRESHOLDS] = max(0, first)
    words[at.H_THRESHOLDS + 1] = max(0, second)
    words[at.H_THRESHOLDS + 2] = max(0, third)
