"""Sees Locust's runners: a load that begins and ends, a quit and whose word it was, the exit code asked for."""

import atexit
import os
import sys

from repro_agent import flight, hearts, web
from repro_agent import layout as at
from repro_agent.hooks.users import Requests, task_failed


def patch_runners(module):
    """Attach to each runner, and listen to what it tells everybody."""
    original = module.Runner.__init__
    roles = {"MasterRunner": at.ROLE_MASTER, "WorkerRunner": at.ROLE_WORKER}

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        hearts.attach(self, roles.get(type(self).__name__, at.ROLE_LOCAL))
        environment = getattr(self, "environment", None)
        events = getattr(environment, "events", None)
        if os.environ.get("REPRO_WEB_UI") and type(self).__name__ != "WorkerRunner":
            web.add(environment)
        requests = Requests()
        of_requests = ("request",) if hasattr(events, "request") else ("request_success", "request_failure")
        listeners = {"user_error": task_failed, "test_start": _begun, "test_stop": _ended}
        listeners.update(dict.fromkeys(of_requests, requests))
        for name, listener in listeners.items():
            if hasattr(events, name):
                getattr(events, name).add_listener(listener)
        atexit.register(note_exit, environment)

    module.Runner.__init__ = init
    for name in ("Runner", "MasterRunner"):  # a master's quit is its own
        _patch_quit(getattr(module, name))


def _is_signal():
    """Whether a runner quits because of a signal: by Locust's handler of SIGTERM, or by a Ctrl-C."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "sig_term_handler":
            return True
        frame = frame.f_back
    return sys.exc_info()[0] is KeyboardInterrupt


def _patch_quit(runner_class):
    quit_runner = vars(runner_class).get("quit")
    if quit_runner is None:
        return

    def quit_seen(self, *args, **kwargs):
        hearts.note_stop(by_signal=_is_signal())
        try:
            return quit_runner(self, *args, **kwargs)
        finally:
            flight.record.floats[at.H_QUIT_DONE_AT] = flight.monotonic()

    runner_class.quit = quit_seen


def _begun(**_):
    """A load begins; a program may run several, one after the other, and stops only the last one for us."""
    record = flight.record
    record.floats[at.H_LOAD_ENDED_AT] = 0.0
    if not record.words[at.H_STOP_ASKED]:
        record.floats[at.H_STOP_AT] = record.floats[at.H_QUIT_DONE_AT] = 0.0
        record.words[at.H_STOPPED_BY_SIGNAL] = 0


def _ended(**_):
    flight.record.floats[at.H_LOAD_ENDED_AT] = flight.monotonic()


def note_exit(environment):
    """The exit code that Locust's program asks for by itself, None for none: requests failed, or a listener set it.

    It is noted for the judge: a process that ends with it has not crashed.
    """
    code = getattr(environment, "process_exit_code", None)
    runner = getattr(environment, "runner", None)
    if code is None and (getattr(runner, "errors", None) or getattr(runner, "exceptions", None)):
        code = getattr(getattr(environment, "parsed_options", None), "exit_code_on_error", None)
    if isinstance(code, int):
        flight.record.words[at.H_EXIT_CODE] = 1 + code % 256
        return code
    return None
