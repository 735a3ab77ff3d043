"""Takes the agent along in somebody's own Python: ``PYTHONPATH`` names this folder, and Python imports this file.

So it does under ``repro watch``, and in the Pythons that a program in a cell starts: a spawned child, a tool of its
own.

It leaves what Python would have found without it: this folder goes from ``sys.path``, and the ``sitecustomize`` that
it stood before is imported in its place, or missed as before. ``python -I``, ``-E`` and ``-S`` do not get here, and
neither does a program with a frozen Python: those run without the agent.

Every Python reads this file, Python 2 too: an interpreter that the agent does not know is left alone.
"""

import os
import sys

OWN = os.path.dirname(os.path.abspath(__file__))


def take_along():
    """Set the agent up; what fails is noted for who watches, and the program runs on as without it."""
    package = type(sys)("repro_agent")
    package.__path__ = [os.path.dirname(OWN)]
    sys.modules["repro_agent"] = package
    try:
        from repro_agent import boot

        boot.ride() if "REPRO_RIDE" in os.environ else boot.follow()
    except Exception as error:
        note("%s: %s" % (type(error).__name__, error))


def note(text):
    """A file that says why the agent is not in this process."""
    path = os.path.join(os.environ.get("REPRO_TRIAL_DIR", ""), "not-along-%d.txt" % os.getpid())
    try:
        with open(path, "w") as file:
            file.write(text)
    except (IOError, OSError):  # two kinds in Python 2
        pass


def make_way():
    """Import the ``sitecustomize`` that would have been found without this one, or raise as its absence does."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != OWN]
    sys.modules.pop("sitecustomize", None)
    import sitecustomize  # noqa: F401  # another one


if sys.version_info >= (3, 8) and sys.implementation.name == "cpython":
    take_along()
make_way()
