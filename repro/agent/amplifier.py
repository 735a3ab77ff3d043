"""The knobs that are on in this process, by ``REPRO_AMPLIFY`` and the seed, where the agent sees their moments.

The flight record counts what each did. ``io`` is the proxy's, outside of this process.
"""

import os
import sys

from repro_agent import flight, knobs
from repro_agent import layout as at

LEVEL = os.environ.get("REPRO_AMPLIFY") or "none"
SEED = int(os.environ.get("REPRO_SEED") or 0)


def has(knob):
    """Whether a knob is one of this process's level."""
    return LEVEL == "all" or knob in LEVEL.split("+")


def is_on(knob):
    """Whether a knob acts now: under ``all`` some have their turns."""
    if LEVEL != "all":
        return has(knob)
    if flight.record.__class__ is not flight.Record:  # no reason to open a forked child's file
        return False
    began = flight.record.floats[at.H_LOAD_AT]
    return bool(began) and _turns.has(knob, flight.monotonic() - began)


def draws(knob):
    """What a knob draws from."""
    return knobs.Draws(SEED, knob)


def note_of(knob):
    """What counts the moments that came because of a knob."""
    index = at.H_AMPLIFIED + at.AMPLIFIERS.index(knob)

    def note():
        if flight.record.__class__ is flight.Record:  # no reason to open a forked child's file
            flight.record.words[index] += 1

    return note


_turns = knobs.Turns(SEED)
_collections = knobs.Collections(draws("gc"), note_of("gc")) if has("gc") else None
_switches = knobs.Switches(draws("threads"), note_of("threads")) if has("threads") else None
_lookups = knobs.Lookups(draws("dns"), note_of("dns"), lambda: is_on("dns")) if has("dns") else None
_is_begun = False


def beat():
    """The event loop turns, five times a second."""
    global _is_begun
    if (_collections is None and _switches is None) or not _is_load(flight.record):
        return
    if not _is_begun and _collections is not None:
        _collections.start()
    _is_begun = True
    if _switches is not None:
        _switches.draw(len(sys._current_frames()) > _own_threads())


def collects():
    """A collection has begun."""
    if _collections is not None:
        _collections.begins()


def collected(record):
    """A collection has ended."""
    if _collections is not None and _is_load(record):
        _collections.ends()


def patch_resolver(module):
    """``gevent.resolver.thread`` has been loaded."""
    if _lookups is not None:
        _lookups.slow(module)


def _is_load(record):
    """Whether there is load, or it is being stopped."""
    return record.words[at.H_PHASE] in (at.PHASE_LOAD, at.PHASE_STOPPING)


def _own_threads():
    """The main thread, and the agent's."""
    return 1 + bool(flight.record.words[at.H_NATIVE_BEATS])
