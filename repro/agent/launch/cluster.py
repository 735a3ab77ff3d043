"""A master and its workers on this machine, each the ``locust`` command in a process of its own."""

import os
import sys

from repro_agent.launch import arguments

LEFT_BEHIND_S = 5.0


def run():
    """Run them; ends with the worst exit code when all ended, or after one died."""
    import subprocess

    port, count = arguments.free_port(), arguments.workers()
    bind = arguments.BIND
    master = "--master --master-bind-host %s --master-bind-port %s --expect-workers %d" % (bind, port, count)
    worker = "--worker --master-host %s --master-port %s" % (bind, port)
    boot = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "boot.py")
    children = []
    for role in [master] + [worker] * count:
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
