"""Stops all users of a local runner and starts them again, every few seconds: each stop is a chance to hang."""

import os

from repro_agent import flight
from repro_agent import layout as at

STOP_S = 1.0
"""For so long the stop is waited for; who outlives it is there at the end of the load, too."""
_every_s = float(os.environ.get("REPRO_ROUNDS") or 0)
_next_at = 0.0


def beat(runner):
    """The event loop turns: begin a round when it is time for one."""
    global _next_at
    record = flight.record
    if not _every_s or runner is None or record.words[at.H_ROLE] != at.ROLE_LOCAL:
        return
    if record.words[at.H_PHASE] != at.PHASE_LOAD or runner.state != "running":
        return
    now = flight.monotonic()
    if not _next_at:
        _next_at = now + _every_s
    elif now >= _next_at:
        _next_at = float("inf")
        import gevent

        gevent.spawn(_turn, runner)


def _turn(runner):
    global _next_at
    import gevent

    counts = {name: count for name, count in runner.user_classes_count.items() if count}
    gevent.with_timeout(STOP_S, runner.stop_users, counts, timeout_value=None)
    words = flight.record.words
    if not words[at.H_STOP_ASKED] and words[at.H_PHASE] == at.PHASE_LOAD and runner.state == "running":
        runner.spawn_users(counts, wait=False)
        words[at.H_ROUNDS] += 1
    _next_at = flight.monotonic() + _every_s
