"""A plain program, as the interpreter runs it: a file, a module (``python -m``), a console script."""

import os
import sys

from repro_agent.launch import arguments


def run(path):
    """Run what ``REPRO_PROGRAM`` says; without it the file at ``path``."""
    from repro_agent import flight
    from repro_agent import layout as at

    flight.record.words[at.H_ROLE] = at.ROLE_SCRIPT
    flight.record.words[at.H_IS_PROGRAM] = 1
    target = os.environ.get("REPRO_TARGET") or path
    own = arguments.typed() or []
    if os.environ.get("REPRO_PROGRAM") == "module":
        _run_module(target, own)
    else:
        sys.argv = [target, *own]
        load(target, name="__main__")


def load(path, name="locustfile"):
    """The module of a file, executed as a program's own first file: no import machinery that it did not ask for."""
    path = os.path.abspath(path)
    sys.path.insert(0, os.path.dirname(path))
    module = type(sys)(name)
    module.__file__ = path
    sys.modules[name] = module
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102  # running the program is the purpose
    return module


def _run_module(name, own):
    """As ``python -m NAME`` does, with the standard library's own words for a module that is not there."""
    sys.path.insert(0, os.getcwd())
    sys.argv = ["-m", *own]
    sys.modules["__main__"] = type(sys)("__main__")
    import runpy

    runpy._run_module_as_main(name)
