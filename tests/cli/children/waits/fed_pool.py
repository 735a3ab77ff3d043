"""By design: a pool that is fed now and then."""

import sys

from gevent import monkey

monkey.patch_all()
import gevent
from gevent.queue import Queue

queue = Queue()


def work():
    for _ in queue:
        gevent.sleep(0.01)


for _ in range(5):
    gevent.spawn(work)
open(sys.argv[1], "w").close()
while True:
    gevent.sleep(1)
    queue.put(1)
