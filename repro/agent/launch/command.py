"""The ``locust`` command in this process, as its console script calls it."""

import os
import sys

from repro_agent.launch import arguments


def run(path, *, forks=False):
    """Run it; ``forks`` adds ``--processes``. Does not return."""
    sys.path.insert(0, os.path.dirname(sys.executable))
    role = os.environ.get("REPRO_LOCUST_ROLE", "").split()
    sys.argv = arguments.command_line(path, *role, *(_processes() if forks else ()))
    from locust import main

    if "--worker" in role:
        _leave_time_to_master(main)
    sys.exit(main.main())


def _leave_time_to_master(main):
    """Up to 2.24 a worker ends with an error where a file or variable that it shares with its master has a limit."""
    parse = getattr(main, "parse_options", None)
    if parse is None:
        return

    def parse_options(*args, **kwargs):
        options = parse(*args, **kwargs)
        options.run_time = None
        return options

    main.parse_options = parse_options


def _processes():
    """The options by which it forks, at a port of its own: trials run side by side."""
    port = arguments.free_port()
    at = ("--master-bind-host", arguments.BIND, "--master-bind-port", port)
    return ("--processes", str(arguments.workers()), *at, "--master-host", arguments.BIND, "--master-port", port)
