"""For ever: a pattern that never ends."""

import re
import sys

from gevent import monkey

monkey.patch_all()
import gevent


def tick():
    while True:
        gevent.sleep(0.05)


def match():
    re.match("(a+)+$", "a" * 60 + "b")


users = [gevent.spawn(tick), gevent.spawn(match)]
open(sys.argv[1], "w").close()
gevent.joinall(users)
