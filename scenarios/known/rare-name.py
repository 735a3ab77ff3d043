"""A name that resolves later than a user is ready to wait for leaves a lock behind that nobody releases.

Five times a second a user looks the name up again, under a lock and a timeout of 0.2 s. All users ask for the lock.
"""

import socket
import time

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.lock import BoundedSemaphore  # isort: skip
from locust import task  # isort: skip

FORGETS = own_factor("defect", "true") == "true"
EVERY_S, LATE_S = 0.2, 0.2
guard = BoundedSemaphore()
looked_up_at = [0.0]


def look_up():
    """Whether the name was resolved in time."""
    looked_up_at[0] = time.monotonic()
    with gevent.Timeout(LATE_S, False):
        return bool(socket.gethostbyname("localhost"))
    return False


class Resolving(QueueUser):
    @task
    def work(self):
        guard.acquire()
        is_forgotten = False
        try:
            if time.monotonic() - looked_up_at[0] > EVERY_S:
                is_forgotten = not look_up() and FORGETS
        finally:
            if not is_forgotten:
                guard.release()
        self.exchange()
