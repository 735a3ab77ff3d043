"""The agent's first file: ``INTERPRETER boot.py`` with all settings in the environment.

The agent must not import ``threading``, ``socket``, ``ssl``, ``queue``, ``select`` or ``subprocess`` before the
scenario's own imports: what is loaded when Locust patches decides what gets patched, and that is under test. Its
own modules are found through a package made by hand, so that no folder of ours is on ``sys.path``.
"""

import os
import sys


def _make_package(folder):
    if sys.path and os.path.abspath(sys.path[0]) == folder:
        del sys.path[0]
    package = type(sys)("repro_agent")
    package.__path__ = [folder]
    package.__file__ = os.path.join(folder, "__init__.py")
    sys.modules["repro_agent"] = package
    return package


def _set_up():
    package = _make_package(os.path.dirname(os.path.abspath(__file__)))
    from repro_agent import collector, flight, hearts, hooks

    try:
        flight.open_record()
    except OSError as error:
        _refuse(error)
    hooks.install()
    collector.install()
    package.operation = hooks.operation
    if os.environ.get("REPRO_LAUNCH") not in ("process", "processes"):
        hearts.start_native()  # else later, if at all: a fork of a process with threads is another experiment
    if os.environ.get("REPRO_LAUNCH") == "script":
        lead_children()
    _follow_forks()


def _follow_forks():
    """A forked child opens a record of its own when it needs one."""
    from repro_agent import collector, flight, hearts, hooks

    def after_fork():
        flight.forget()
        hooks.after_fork()
        collector.after_fork()
        hearts.start_native_late()

    os.register_at_fork(after_in_child=after_fork)


def ride():
    """See somebody's own command as a cell is seen, and do nothing else in it: no thread, no signal, no redirection.

    The record is opened when there is something to write: most processes of a command have nothing.
    """
    from repro_agent import flight, hooks

    flight.forget()
    hooks.install()

    def after_fork():
        flight.forget()
        hooks.after_fork()

    os.register_at_fork(after_in_child=after_fork)


def follow():
    """See a Python that the program of a cell has started, as its forked children are seen."""
    from repro_agent import collector, flight, hearts, hooks

    sys.modules["repro_agent"].operation = hooks.operation
    flight.forget()
    hooks.install()
    collector.install()
    hearts.start_native_late()
    _follow_forks()


def lead_children():
    """Let the Pythons that this one starts take the agent along: they import ``ride/sitecustomize.py``."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ride")
    os.environ["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])


def _refuse(error):
    """End: what this process did would not be seen, and nobody would know."""
    from repro_agent import layout as at

    text = "repro: the flight record cannot be written: %s; free some space, or let the run's folder lie elsewhere\n"
    try:
        os.write(2, (text % (error.strerror or error)).encode("utf-8", "replace"))
    except OSError:
        pass  # standard error lies on the same disk: the exit code says it too
    os._exit(at.NO_RECORD)


if __name__ in {"__main__", "__mp_main__"}:  # the second: a spawned child loads this file again
    _set_up()

if __name__ == "__main__":
    from repro_agent import launch

    launch.run()
