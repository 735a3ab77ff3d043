"""Starts the program in this cell as the launch mode says.

    cli          the `locust` command, headless, in this process
    processes    the same with --processes: it forks its workers after the locustfile was imported
    library      Locust as a library: Environment, local runner, statistics printer and CSV writer, in this process
    process      the same in a forked `multiprocessing.Process`, the locustfile imported before the fork
    spawn        the same in a spawned one, the locustfile imported in the child
    distributed  a Locust master and workers, each the `locust` command in a process of its own
    script       a plain program: a file, a module or a console script, which may use Locust or not

Nothing is imported here before the program's own imports: they are part of the experiment. So each launch mode's module
is imported only where it is asked for.
"""

import os


def run():
    """Launch by ``REPRO_LAUNCH``; does not return when the program exits by itself."""
    path = os.environ["REPRO_LOCUSTFILE"]
    mode = os.environ.get("REPRO_LAUNCH", "cli")
    if mode in {"cli", "processes"}:
        from repro_agent.launch import command

        command.run(path, forks=mode == "processes")
    elif mode == "distributed":
        from repro_agent.launch import cluster

        cluster.run()
    elif mode == "script":
        from repro_agent.launch import program

        program.run(path)
    else:
        from repro_agent.launch import library

        {"library": library.run, "process": library.run_forked, "spawn": library.run_spawned}[mode](path)
