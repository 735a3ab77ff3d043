"""The command line that Locust gets: ours before the user's own, which so have the last word."""

import os
import sys

BIND = "127.0.0.1"


def typed():
    """The user's arguments as typed, from ``REPRO_ARGUMENTS``; None without a command of the user's own.

    A JSON list of strings is a Python literal, but for surrogate pairs; ``json`` would load ``re`` before the program.
    """
    text = os.environ.get("REPRO_ARGUMENTS")
    if text is None:
        return None
    words = eval(text, {"__builtins__": {}})  # noqa: S307  # this program's own variable, not a stranger's text
    return [word.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") for word in words]


def load():
    """Users and spawn rate of this cell."""
    users = int(os.environ.get("REPRO_USERS", "1"))
    rate = float(os.environ.get("REPRO_SPAWN_RATE", "0")) or users
    return users, rate


def command_line(path, *launch):
    """``sys.argv`` of the ``locust`` command; ``launch`` are the options of its mode, "" finds the file as by hand.

    A worker is told users and rate by its master. An exit code for failed requests is the user's own, where it is a
    command of the user's own: what Locust asks for is not a crash (``hooks.note_exit``).
    """
    own = typed()
    users, rate = load()
    line = [os.path.join(os.path.dirname(sys.executable), "locust"), *(["-f", path] if path else [])]
    if "--worker" not in launch:
        line += ["--headless", "-u", str(users), "-r", "%g" % rate]
        line += [] if own is not None else ["--exit-code-on-error", "0"]
    return [*line, *launch, *(own or ())]


def workers():
    """How many workers a launch mode with several processes has."""
    return int(os.environ.get("REPRO_WORKERS", "2"))


def free_port():
    """A port that is free now; by ``_socket``, for a loaded ``socket`` would not be the one that gets patched."""
    import _socket

    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        probe.bind((BIND, 0))
        return str(probe.getsockname()[1])
    finally:
        probe.close()
