"""Sees Locust's users: when they start and are stopped, what their tasks raise, what Locust is told of requests."""

import sys

from repro_agent import flight
from repro_agent import layout as at
from repro_agent.hooks import redirect
from repro_agent.hooks.deaths import frames_of, place_of
from repro_agent.hooks.operations import current_slot, slots, watch_user

MOST_CAUSES = 20


def patch_users(module):
    """When users start, and when they are told to stop."""
    start, stop = module.User.start, module.User.stop
    if redirect.is_on():
        redirect.patch_host(module.User)

    def start_seen(self, *args, **kwargs):
        greenlet = start(self, *args, **kwargs)
        watch_user(greenlet)
        return greenlet

    def stop_seen(self, *args, **kwargs):
        slot = slots.get(id(getattr(self, "_greenlet", None)))
        if slot is not None:
            slot.killed()
        return stop(self, *args, **kwargs)

    module.User.start, module.User.stop = start_seen, stop_seen


def patch_tasks(module):
    """Locust counts what a task raises as an error of its own, outside of all requests."""
    original = getattr(module.TaskSet, "execute_next_task", None)
    if original is None:
        return

    def execute_next_task(self, *args, **kwargs):
        flight.record.words[at.H_ITERATIONS] += not _is_task_set(self)
        slot = current_slot()
        if slot is not None:
            slot.failed_before = slot.words[slot.base + at.S_FAILED]
        return original(self, *args, **kwargs)

    execute_next_task.__wrapped__ = original
    module.TaskSet.execute_next_task = execute_next_task


def _is_task_set(user):
    """Whether the task that comes next is a set of others, which count by themselves."""
    queue = getattr(user, "_task_queue", None)
    head = queue[0] if queue else None
    return isinstance(head.get("callable") if isinstance(head, dict) else head, type)


def task_failed(exception=None, tb=None, **_):
    """A task has ended by an exception; one of an operation is counted as that."""
    if _has_lost_exit(exception):
        flight.record.death(at.H_LOST_EXITS, exception, place_of(frames_of(tb)))
        return
    slot = current_slot()
    if slot is not None and slot.words[slot.base + at.S_FAILED] != slot.failed_before:
        return
    if isinstance(exception, BaseException):
        flight.record.death(at.H_ITERATION_ERRORS, exception, place_of(frames_of(tb)))
    else:
        flight.record.words[at.H_ITERATION_ERRORS] += 1


def _has_lost_exit(error):
    """Whether it was raised while a GreenletExit was on its way, and so took its place: by an ``on_stop``, mostly."""
    kind = getattr(sys.modules.get("greenlet"), "GreenletExit", None)
    for _ in range(MOST_CAUSES):
        error = getattr(error, "__context__", None)
        if error is None or kind is None:
            return False
        if isinstance(error, kind):
            return True
    return False


class Requests:
    """Counts what Locust is told of requests, for clients that are not hooked: what was counted already is left out."""

    def __init__(self):
        self._seen = {}

    def __call__(self, request_type="", name="", exception=None, **_):
        """A request has ended, as its client told Locust."""
        slot = current_slot()
        if slot is None or slot.depth:
            return
        failed = exception is not None
        begun, failures = self._seen.get(slot.base, (0, 0))
        if slot.words[slot.base + at.S_BEGUN] == begun:
            slot.begin(flight.record.name(("%s %s" % (request_type, name)).strip()), 0.0, 0.0, 0.0)
            slot.end(failed=failed)
        elif failed and slot.words[slot.base + at.S_FAILED] == failures:
            slot.words[slot.base + at.S_FAILED] += 1  # its client had an answer, and Locust calls that a failure
        else:
            failed = False
        if failed and isinstance(exception, Exception):
            flight.record.error(exception)
        self._seen[slot.base] = (slot.words[slot.base + at.S_BEGUN], slot.words[slot.base + at.S_FAILED])
