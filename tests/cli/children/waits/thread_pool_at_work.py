"""By design: a name that is long resolved."""

import sys

from gevent import monkey

monkey.patch_all()
import gevent

sleep = monkey.get_original("time", "sleep")


def look():
    gevent.get_hub().threadpool.apply(sleep, (600,))


users = [gevent.spawn(look) for _ in range(3)]
open(sys.argv[1], "w").close()
gevent.joinall(users)
