"""What a watcher of the event loop waits for: a socket with both its ends, a timer with the seconds left."""

import sys
import time

READ, WRITE = 1, 2
MOST_LEFT_S = 1e8  # a timer of libuv counts by another clock

_monotonic = time.monotonic  # as it is before anything is patched


def wait_of(kind, watcher):
    """The wait of whoever such a watcher would wake."""
    if kind == "io":
        events = getattr(watcher, "events", 0)
        fd = getattr(watcher, "fd", -1)
        wait = {"kind": "socket", "fd": fd, "for": _directions(events)}
        wait.update(_addresses(fd))
        return wait
    if kind == "timer":
        return dict({"kind": "timer"}, **_left(watcher))
    if kind in ("async", "async_"):
        return {"kind": "thread"}
    if kind == "child":
        return {"kind": "process"}
    return {"kind": "ready" if kind == "callback" else "event"}


def _left(timer):
    """The seconds until a timer fires, where its loop counts by the monotonic clock, as libev does."""
    try:
        left_s = timer.at - _monotonic()
    except Exception:
        # gevent's libuv has no such attribute, and a timer that is stopped may raise: then it is not known.
        return {}
    return {"left_s": round(max(0.0, left_s), 1)} if -1.0 < left_s < MOST_LEFT_S else {}


def _directions(events):
    return "+".join(name for bit, name in ((READ, "read"), (WRITE, "write")) if events & bit)


def _addresses(fd):
    """Both ends of a connection, by the C module: gevent's sockets would want their hub."""
    module = sys.modules.get("_socket")
    if module is None:
        return {}
    try:
        connection = module.socket(fileno=fd)
    except Exception:  # closed meanwhile, or no socket: the wait is told without its addresses
        return {}
    try:
        return {"local": _address(connection.getsockname), "peer": _address(connection.getpeername)}
    finally:
        connection.detach()


def _address(ask):
    try:
        address = ask()
    except Exception:  # not connected
        return ""
    return "%s:%s" % (address[0], address[1]) if isinstance(address, tuple) else str(address)
