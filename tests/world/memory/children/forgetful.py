# ruff: noqa: E402, T201  # it is patched first, and says when it is ready
"""Two hundred users of one lock, whose release forgets its waiters once: a planted lost wake-up.

The 37th release makes the lock free and wakes nobody, so 163 users wait for a lock that nobody holds.
"""

from gevent import monkey

monkey.patch_all()

import gevent
from gevent.lock import Semaphore

FORGETS = 37


class Forgetful(Semaphore):
    calls = 0

    def release(self):
        Forgetful.calls += 1
        if Forgetful.calls == FORGETS:
            self.counter += 1
            return self.counter
        return super().release()


lock = Forgetful(1)


def user():
    with lock:
        gevent.sleep(0.001)
    while True:
        gevent.sleep(0.5)


users = [gevent.spawn(user) for _ in range(200)]
while Forgetful.calls < FORGETS:
    gevent.sleep(0.05)
print("ready", flush=True)
gevent.joinall(users)
