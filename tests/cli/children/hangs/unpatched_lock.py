"""For ever: a lock from before the patch."""

import sys
import threading

lock = threading.Lock()
from gevent import monkey

monkey.patch_all()
import gevent


def tick():
    while True:
        gevent.sleep(0.05)


def work():
    with lock:
        gevent.sleep(1)


users = [gevent.spawn(one) for one in (work, work, tick)]
open(sys.argv[1], "w").close()
gevent.joinall(users)
