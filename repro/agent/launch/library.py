"""Locust as a library, as in a team's own test runner, here or in a process of its own.

What the ``locust`` command makes of its arguments, files and variables is made here too, and by its own parser: so the
users see the same ``environment.parsed_options``. It changed over the releases, 1.0 to the newest; where they differ,
the difference is named beside the line.
"""

import os
import sys

from repro_agent.launch import arguments, program

CSV_PREFIX = "statistics"


def run(path):
    """In this process."""
    drive(load(path), path)


def run_forked(path):
    """The locustfile is imported here, as a program's own top would, and its load runs in a forked child."""
    modules = load(path)
    import multiprocessing

    _end_with(multiprocessing.get_context("fork").Process(target=drive, args=(modules, path)))


def run_spawned(path):
    """All happens in the spawned child; it loads ``boot.py`` again, which sets the agent up there."""
    import multiprocessing

    _end_with(multiprocessing.get_context("spawn").Process(target=run, args=(path,)))


def _end_with(child):
    child.start()
    child.join()
    sys.exit(child.exitcode or 0)


def load(path):
    """The locustfile's module, imported first of all; of several files each, once Locust has said which they are."""
    if arguments.typed() is None:
        return [program.load(path)]
    sys.path.insert(0, os.getcwd())
    paths = [path] if os.path.isfile(path) else _found(path)
    return [program.load(one, name=_module_name(one)) for one in paths]


def _found(path):
    """The files that Locust finds: where none was typed, in a folder, at several paths."""
    from locust import argument_parser

    sys.argv = arguments.command_line(path)
    found = argument_parser.parse_locustfile_option()
    if hasattr(argument_parser, "get_locustfiles_locally"):
        found = argument_parser.get_locustfiles_locally(found)  # the newest releases return options first
    return [found] if isinstance(found, str) else found


def _module_name(path):
    name = os.path.splitext(os.path.basename(path))[0]
    return "locustfile" if name == "locust" else name


def drive(modules, path):
    """Run the users of these modules on a local runner until somebody makes it quit; ends with Locust's exit code."""
    sys.argv = arguments.command_line(path)
    options = _options()
    import locust

    environment = _environment(modules, options, path)
    runner = environment.create_local_runner()
    if getattr(options, "equal_weights", False):
        environment.events.init.add_listener(lambda environment, **_: environment.assign_equal_weights())
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    _spawn_helpers(locust.stats, environment, runner, options)
    if getattr(environment, "shape_class", None) is not None:
        runner.start_shape()
    else:
        runner.start(*_load(options))
    runner.greenlet.join()
    environment.events.quitting.fire(environment=environment, reverse=True)
    sys.exit(_exit_code(runner, options))


def _options():
    """What Locust's own parser makes of the command line, files and variables, as its ``main`` then changes it."""
    from locust import argument_parser
    from locust.log import setup_logging

    parse = getattr(argument_parser, "parse_options", None) or argument_parser.get_parser().parse_args
    options = parse()
    if not options.skip_log_setup:
        setup_logging(options.loglevel, options.logfile)
    for name in ("run_time", "stop_timeout"):  # texts before they became types of the parser
        setattr(options, name, _seconds(getattr(options, name, None), name))
    return options


def _seconds(value, name):
    if not isinstance(value, str):
        return value
    from locust.util.timespan import parse_timespan

    try:
        return parse_timespan(value)
    except ValueError:
        _refuse("Valid --%s formats are: 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc." % name.replace("_", "-"))


def _refuse(text):
    """End as the command does where its arguments do not fit the locustfile."""
    import logging

    logging.getLogger("locust.main").error(text)
    sys.exit(1)


def _environment(modules, options, path):
    """The Environment as ``locust.main`` makes it: host, tags, user classes, stop timeout, shape."""
    import inspect

    import locust
    from locust import main

    classes = _named(modules, "is_user_class")
    shapes = {name: shape() for name, shape in _named(modules, "is_shape_class").items()}
    offered = {
        "events": locust.events,
        "shape_class": next(iter(shapes.values()), None),
        "locustfile": os.path.basename(path),
        "parsed_locustfiles": [module.__file__ for module in modules],
        "available_user_classes": classes,
        "available_shape_classes": shapes,
        "available_user_tasks": {name: one.tasks for name, one in classes.items()},
    }
    taken = inspect.signature(main.create_environment).parameters
    kept = {name: value for name, value in offered.items() if name in taken}
    environment = main.create_environment(_chosen(classes, options), options, **kept)
    for text in getattr(options, "config_users", None) or ():
        _configure(environment, text)
    return environment


def _named(modules, predicate):
    """The classes of the locustfiles that Locust takes, by their names; none where it does not know their kind yet."""
    from locust import main

    holder = sys.modules.get("locust.util.load_locustfile", main)  # they moved there from ``main``
    is_wanted = getattr(holder, predicate, lambda _: False)
    return {name: item for module in modules for name, item in vars(module).items() if is_wanted(item)}


def _chosen(classes, options):
    """The user classes that the arguments name, all without names."""
    missing = set(options.user_classes or ()) - set(classes)
    if not classes:
        _refuse("No User class found!")
    if missing:
        _refuse("Unknown User(s): %s" % ", ".join(sorted(missing)))
    return [item for name, item in classes.items() if not options.user_classes or name in options.user_classes]


def _configure(environment, text):
    """What ``--config-users`` says: a JSON text, or the path of a file with one."""
    import json

    try:
        if text.endswith(".json"):
            with open(text) as file:
                text = file.read()
        found = json.loads(text)
        for config in found if isinstance(found, list) else [found]:
            environment.update_user_class(config)
    except Exception as error:
        _refuse("The --config-users argument must be in valid JSON string or file: %s" % error)


def _load(options):
    """Users and spawn rate, as positions: the second's name changed."""
    users, rate = arguments.load()
    return getattr(options, "num_users", None) or users, getattr(options, "spawn_rate", None) or rate


def _spawn_helpers(stats, environment, runner, options):
    """What runs beside the users, as in the command: the statistics' printer, history and writer, the time limit."""
    import gevent

    gevent.spawn(stats.stats_printer(environment.stats))
    prefix = getattr(options, "csv_prefix", None) or CSV_PREFIX
    if hasattr(stats, "stats_history"):
        gevent.spawn(stats.stats_history, runner)
    if hasattr(stats, "StatsCSVFileWriter"):
        writer = stats.StatsCSVFileWriter(environment, stats.PERCENTILES_TO_REPORT, prefix)
        gevent.spawn(writer.stats_writer)
    else:  # up to 1.2
        gevent.spawn(stats.stats_writer, environment, prefix)
    if options.run_time:
        gevent.spawn_later(options.run_time, runner.quit)


def _exit_code(runner, options):
    """As ``locust.main`` decides it, and noted: what it asks for by itself is not a crash."""
    from locust import log
    from repro_agent import hooks

    code = hooks.note_exit(runner.environment)
    if code is not None:
        return code
    return 2 if getattr(log, "unhandled_greenlet_exception", False) else 0
