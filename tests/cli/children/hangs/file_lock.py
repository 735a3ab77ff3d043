"""For ever: a file lock that the process has itself."""

import fcntl
import sys

from gevent import monkey

monkey.patch_all()
import gevent


def tick():
    while True:
        gevent.sleep(0.05)


def take():
    files = [open(sys.argv[1] + ".lock", "w") for _ in range(2)]
    for file in files:
        fcntl.flock(file, fcntl.LOCK_EX)


users = [gevent.spawn(tick), gevent.spawn(take)]
open(sys.argv[1], "w").close()
gevent.joinall(users)
