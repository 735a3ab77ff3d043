"""By design: whoever begins later wakes it."""

import sys

from gevent import monkey

monkey.patch_all()
import gevent
from gevent.event import Event

done = Event()
gevent.spawn_later(600, done.set)
open(sys.argv[1], "w").close()
done.wait()
