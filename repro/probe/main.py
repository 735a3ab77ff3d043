"""Where the fields of this interpreter's objects lie: learned from objects whose contents are known, printed as JSON.

    main.py [GREENLET-EXTENSION [FOLDER-OF-PACKAGES]]

Runs under the interpreter of the process that is to be read, with that process's greenlet: Python 3.8 and newer,
standard library only. What greenlets wait for is learned from gevent, out of the folder of packages; where that fails,
the answer says why. A field that fits nowhere, or at several places, ends it with exit code 3 and the field's name on
standard error.
"""

import gc
import json
import os
import sys
import sysconfig

from repro_probe.base import FOUND, SINCE_311, UnclearError, learn
from repro_probe.calls import (
    ParkedCalls,
    WaitingCalls,
    learn_code,
    learn_frame_objects,
    learn_greenlets,
    learn_interpreter_frames,
    learn_threads,
    load_greenlet,
)
from repro_probe.objects import learn_containers, learn_objects, learn_texts
from repro_probe.waits import learn_gevent


class Method:
    """It has one."""

    def method(self):
        """To be bound."""


def types():
    """The types that a reader must recognise, by their distance from the runtime, which lies in the same image."""
    known = {
        "str": str,
        "bytes": bytes,
        "code": type(learn.__code__),
        "type": type,
        "list": list,
        "builtin": type([].append),
        "method": type(Method().method),
    }
    return {name: id(kind) - FOUND["runtime"] for name, kind in known.items()}


def learn_calls(greenlet):
    """Frames, and greenlets where the process has them; in a greenlet, so that the main one and this one differ."""
    planted = ParkedCalls(greenlet) if greenlet else WaitingCalls()
    learn_code(planted.frames)
    if SINCE_311:
        learn_interpreter_frames(planted)
    else:
        learn_frame_objects(planted)
    if greenlet:
        learn_greenlets(greenlet, planted)


def main(extension="", folder=""):
    """Learn everything, then print it."""
    gc.disable()
    learn_objects()
    learn_texts()
    learn_containers()
    greenlet = load_greenlet(extension) if extension else None
    if greenlet:
        greenlet.greenlet(learn_calls).switch(greenlet)
    else:
        learn_calls(None)
    learn_threads()
    problem = ""
    if greenlet and folder:
        try:
            learn_gevent(folder, greenlet)
        except Exception as error:  # the stacks can be read anyway
            problem = "%s: %s" % (type(error).__name__, error)
    answer = {
        "python": list(sys.version_info[:3]),
        "greenlet": getattr(sys.modules.get("greenlet"), "__version__", ""),
        "gevent": getattr(sys.modules.get("gevent"), "__version__", ""),
        "is_free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "types": types(),
        "fields": FOUND,
        "problem": problem,
    }
    print(json.dumps(answer))


def run():
    """Answer, and end at once: threads and parked greenlets are left as they are."""
    try:
        main(*sys.argv[1:])
    except UnclearError as error:
        print(error, file=sys.stderr)
        os._exit(3)
    sys.stdout.flush()
    os._exit(0)
