"""Stops all users of a local runner and starts them again: every ``rounds`` seconds, or as ``amplify=stop`` draws it.

Each stop is a chance to hang. It waits until all users go on: one that hangs by then is not stopped, so that it is
seen. Who outlives a stop is told no second time: the judge sees a load that has stopped.
"""

import os

from repro_agent import amplifier, flight, knobs
from repro_agent import layout as at

_every_s = float(os.environ.get("REPRO_ROUNDS") or 0)
_is_begun = False


def beat(runner, outlived):
    """The event loop turns: begin with the first turn of the load. ``outlived`` notes the load's stop."""
    global _is_begun
    if _is_begun or runner is None or not (_every_s or amplifier.has("stop")):
        return
    if flight.record.words[at.H_ROLE] == at.ROLE_LOCAL and _is_loading() and runner.state == "running":
        _is_begun = True
        import gevent

        gevent.spawn(_stops().run, runner, _is_loading, outlived)


def _stops():
    if not amplifier.has("stop"):
        return knobs.Stops(lambda: _every_s, _note_round, progress_of=_progress_of)
    draws, note = amplifier.draws("stop"), amplifier.note_of("stop")
    pause = lambda: draws.between(knobs.Stops.SHORTEST_S, knobs.Stops.LONGEST_S)  # noqa: E731
    return knobs.Stops(pause, note, lambda: amplifier.is_on("stop"), _progress_of)


def _progress_of(greenlet):
    """How often its operations have begun or ended."""
    from repro_agent.hooks.operations import slots

    slot = slots.get(id(greenlet))
    return None if slot is None else slot.words[slot.base + at.S_SEQ]


def _is_loading():
    words = flight.record.words
    return not words[at.H_STOP_ASKED] and words[at.H_PHASE] == at.PHASE_LOAD


def _note_round():
    flight.record.words[at.H_ROUNDS] += 1
