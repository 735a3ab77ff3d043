"""A hang that takes two settings together: the users share a lock, and a holder forgets to release it."""

from planted import QueueUser, own_factor  # isort: skip

from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

LOCK, HOLDER = own_factor("lock", "shared"), own_factor("holder", "forgets")
ROUND = 3
shared = Semaphore()


class Sharing(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        lock = shared if LOCK == "shared" else Semaphore()
        lock.acquire()
        self.exchange()
        if not (HOLDER == "forgets" and self.number == 0 and self.rounds == ROUND):
            lock.release()
