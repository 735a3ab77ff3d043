"""By design: a lock that goes round."""

import sys

from gevent import monkey

monkey.patch_all()
import threading

import gevent

lock = threading.RLock()


def work():
    while True:
        with lock:
            gevent.sleep(0.2)


users = [gevent.spawn(work) for _ in range(9)]
open(sys.argv[1], "w").close()
gevent.joinall(users)
