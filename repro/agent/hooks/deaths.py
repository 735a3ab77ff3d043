"""What greenlets die of: an exception that the hub prints, and everybody forgets."""

import os
import sys

from repro_agent import flight
from repro_agent import layout as at
from repro_agent.hooks.operations import slots


def patch_hub(module):
    """A greenlet that dies of an exception is printed and forgotten: it may be the one that was to start the users."""
    original = module.Hub.handle_error

    def handle_error(self, context, type, value, tb):  # noqa: A002  # gevent's own names: it may be called by them
        try:
            _note_death(context, value, tb)
        except Exception as error:
            flight.record.error(error)  # ours: the program's own handling goes on as it would
        return original(self, context, type, value, tb)

    module.Hub.handle_error = handle_error


def _note_death(context, error, trace):
    kinds = tuple(sys.modules[name].GreenletExit for name in ("greenlet",) if name in sys.modules)
    if not isinstance(error, Exception) or isinstance(error, kinds):
        return
    frames = frames_of(trace)
    slot = slots.get(id(context))
    if slot is not None and slot.words[slot.base + at.S_KIND] & at.KIND_MASK == at.KIND_USER:
        counter = at.H_USER_DEATHS
    elif any(frame.f_globals.get("__name__") in _SPAWNERS for frame, _ in frames):
        counter = at.H_SPAWNER_DEATHS
    else:
        counter = at.H_DEATHS
    flight.record.death(counter, error, place_of(frames))


_SPAWNERS = ("locust.runners", "locust.dispatch")
_LIBRARIES = ("site-packages", "dist-packages", os.sep + "lib" + os.sep + "python")


def frames_of(trace):
    """A traceback's frames with their lines, the outermost first."""
    found = []
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def place_of(frames):
    """The innermost frame of the program's own code, else of anybody's: file, line, function."""
    known = [pair for pair in frames if os.path.isabs(pair[0].f_code.co_filename)]  # compiled modules have no such path
    own = [pair for pair in known if not any(part in pair[0].f_code.co_filename for part in _LIBRARIES)]
    if not frames:
        return ("", 0, "")
    frame, line = (own or known or frames)[-1]
    return (frame.f_code.co_filename, line, frame.f_code.co_name)
