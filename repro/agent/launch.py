"""Starts the scenario in this cell as the launch mode says.

    cli          the `locust` command, headless, in this process
    library      Locust as a library: Environment, local runner, statistics printer and CSV writer, in this process
    process      the same in a forked `multiprocessing.Process`, the scenario imported before the fork
    spawn        the same in a spawned one, the scenario imported in the child
    distributed  a Locust master and workers, each the `locust` command in a process of its own
    script       the file as a plain program, without Locust

Nothing is imported here before the scenario's own imports: they are part of the experiment.
"""

import os
import sys

BIND = "127.0.0.1"
LEFT_BEHIND_S = 5.0


def run():
    """Launch by ``REPRO_LAUNCH``; does not return when the scenario exits by itself."""
    path = os.environ["REPRO_LOCUSTFILE"]
    modes = {
        "cli": run_cli,
        "library": run_library,
        "process": run_process,
        "spawn": run_spawned,
        "distributed": run_distributed,
        "script": run_script,
    }
    modes[os.environ.get("REPRO_LAUNCH", "cli")](path)


def run_cli(path):
    """The command as its console script calls it."""
    folder = os.path.dirname(sys.executable)
    sys.path.insert(0, folder)
    users, rate = _load()
    role = os.environ.get("REPRO_LOCUST_ROLE", "").split()
    load = [] if "--worker" in role else ["--headless", "-u", str(users), "-r", str(rate), "--exit-code-on-error", "0"]
    sys.argv = [os.path.join(folder, "locust"), "-f", path, *load, *role]
    from locust.main import main

    sys.exit(main())


def run_library(path):
    """Locust as a library, as in a team's own test runner."""
    _drive(load_scenario(path))


def run_process(path):
    """The scenario is imported here, as a program's own top would, and its load runs in a forked child."""
    module = load_scenario(path)
    import multiprocessing

    child = multiprocessing.get_context("fork").Process(target=_drive, args=(module,))
    child.start()
    child.join()
    sys.exit(child.exitcode or 0)


def run_spawned(path):
    """All happens in the spawned child; it loads ``boot.py`` again, which sets the agent up there."""
    import multiprocessing

    child = multiprocessing.get_context("spawn").Process(target=run_library, args=(path,))
    child.start()
    child.join()
    sys.exit(child.exitcode or 0)


def run_distributed(path):
    """A master and its workers on this machine; ends with the worst exit code when all ended, or after one died."""
    import socket
    import subprocess

    with socket.socket() as probe:
        probe.bind((BIND, 0))
        port = str(probe.getsockname()[1])
    workers = int(os.environ.get("REPRO_WORKERS", "2"))
    master = "--master --master-bind-host %s --master-bind-port %s --expect-workers %d" % (BIND, port, workers)
    worker = "--worker --master-host %s --master-port %s" % (BIND, port)
    boot = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot.py")
    children = []
    for role in [master] + [worker] * workers:
        environment = dict(os.environ, REPRO_LAUNCH="cli", REPRO_LOCUST_ROLE=role)
        children.append(subprocess.Popen([sys.executable, boot], env=environment))
    sys.exit(_worst_code(children))


def _worst_code(children):
    """The worst exit code of all; none is waited for after one died: a worker keeps looking for its master."""
    import time

    until = float("inf")
    codes = [child.poll() for child in children]
    while None in codes and time.monotonic() < until:
        time.sleep(0.1)
        codes = [child.poll() for child in children]
        if any(codes) and until == float("inf"):
            until = time.monotonic() + LEFT_BEHIND_S
    return max(abs(code or 0) for code in codes)


def run_script(path):
    """The file as ``python FILE`` runs it."""
    from repro_agent import flight
    from repro_agent import layout as at

    flight.record.words[at.H_ROLE] = at.ROLE_SCRIPT
    sys.argv = [path]
    load_scenario(path, name="__main__")


def load_scenario(path, name="locustfile"):
    """The scenario's module, executed as a program's own first file: no import machinery that it did not ask for."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module = type(sys)(name)
    module.__file__ = path
    sys.modules[name] = module
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102  # running the scenario is the purpose
    return module


def _drive(module):
    """Run the users of the scenario's module on a local runner until somebody makes it quit."""
    import gevent
    import locust
    from locust.env import Environment
    from locust.log import setup_logging
    from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter, stats_history, stats_printer

    setup_logging("INFO", None)
    environment = Environment(user_classes=_user_classes(module, locust.User), events=locust.events)
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    gevent.spawn(stats_printer(environment.stats))
    gevent.spawn(stats_history, runner)
    gevent.spawn(StatsCSVFileWriter(environment, PERCENTILES_TO_REPORT, "statistics").stats_writer)
    users, rate = _load()
    runner.start(users, spawn_rate=rate)
    runner.greenlet.join()
    environment.events.quitting.fire(environment=environment, reverse=True)


def _user_classes(module, base):
    found = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, base)]
    classes = [item for item in found if not item.abstract]
    if not classes:
        sys.exit("no Locust user class found in %s" % module.__file__)
    return classes


def _load():
    users = int(os.environ.get("REPRO_USERS", "1"))
    rate = float(os.environ.get("REPRO_SPAWN_RATE", "0")) or users
    return users, rate
