"""The ``locust`` command in this process, as its console script calls it."""

import os
import sys

from repro_agent.launch import arguments


def run(path, *, forks=False):
    """Run it; ``forks`` adds ``--processes``. Does not return."""
    sys.path.insert(0, os.path.dirname(sys.executable))
    role = os.environ.get("REPRO_LOCUST_ROLE", "").split()
    sys.argv = arguments.command_line(path, *role, *(_processes() if forks else ()))
    from locust.main import main

    sys.exit(main())


def _processes():
    """The options by which it forks, at a port of its own: trials run side by side."""
    port = arguments.free_port()
    at = ("--master-bind-host", arguments.BIND, "--master-bind-port", port)
    return ("--processes", str(arguments.workers()), *at, "--master-host", arguments.BIND, "--master-port", port)
