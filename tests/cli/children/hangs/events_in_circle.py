"""For ever: each waits for the other's event."""

import sys

from gevent import monkey

monkey.patch_all()
import gevent
from gevent.event import Event

one, other = Event(), Event()


def wait(mine, its):
    mine.wait()
    its.set()


hub = gevent.get_hub().loop.timer(1e6)
hub.start(print)
users = [gevent.spawn(wait, one, other), gevent.spawn(wait, other, one)]
open(sys.argv[1], "w").close()
gevent.joinall(users)
