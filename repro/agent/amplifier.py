"""Makes natural moments come more often, by the seed: garbage collections, or switches between native threads.

A collection is made *due*, never run: at each one's end the next threshold is drawn, log-uniform, well below the natural one.
None begins where the program has switched the collector off. What is drawn is decided by the seed and the
number of the draw alone; no module is loaded for it.
"""

import gc
import os
import sys
import time

from repro_agent import flight
from repro_agent import layout as at

KNOB = os.environ.get("REPRO_AMPLIFY") or "none"
FEWEST, NATURAL_BY = 10, 7
"""Objects more than at the last collection: between these and the natural threshold divided by that."""
MOST_SHARE = 0.2
"""Of the time collections may take so much processor time; beyond it the next one comes when it would have come anyway."""
SHORTEST_SWITCH_S, LONGEST_SWITCH_S = 1e-5, 5e-2

_state = (int(os.environ.get("REPRO_SEED") or 0) * 2654435761 + 1) % 2**64
_natural = 0
_drawn = 0
_spent_s = 0.0
_since = 0.0
_began_s = 0.0
_thread_time = time.thread_time  # what a busy machine takes from this thread does not count as the collector's


def beat():
    """The event loop turns: with ``threads``, draw how long a thread keeps the interpreter."""
    if KNOB != "threads" or flight.record.words[at.H_PHASE] != at.PHASE_LOAD:
        return
    sys.setswitchinterval(SHORTEST_SWITCH_S * (LONGEST_SWITCH_S / SHORTEST_SWITCH_S) ** _draw())
    if len(sys._current_frames()) > _own_threads():
        flight.record.words[at.H_AMPLIFIED] += 1


def _own_threads():
    """The main thread, and the agent's."""
    return 1 + bool(flight.record.words[at.H_NATIVE_BEATS])


def collects():
    """A collection has begun."""
    global _began_s
    if KNOB == "gc":
        _began_s = _thread_time()


def collected(record):
    """A collection has ended: with ``gc``, make the next one due, where the load has begun."""
    global _natural, _drawn, _spent_s, _since
    if KNOB != "gc" or record.words[at.H_PHASE] != at.PHASE_LOAD:
        return
    now = flight.monotonic()
    _since = _since or now
    _spent_s += max(0.0, _thread_time() - _began_s)
    first, second, third = gc.get_threshold()
    if first and first == _drawn:
        record.words[at.H_AMPLIFIED] += _drawn < _natural
    else:
        _natural = first  # the program has set it itself
    if not _natural or not gc.isenabled():
        return
    is_within = _spent_s <= MOST_SHARE * max(now - _since, 1.0)
    most = _natural / NATURAL_BY
    _drawn = int(FEWEST * (most / FEWEST) ** _draw()) if is_within and most > FEWEST else _natural
    gc.set_threshold(_drawn, second, third)


def _draw():
    """The next number from 0 to 1 (a linear congruential generator, Knuth's MMIX)."""
    global _state
    _state = (_state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (_state >> 11) / 2**53
