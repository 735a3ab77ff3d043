"""Slow but alive: one user keeps a lock for six seconds, asleep; all others wait."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from gevent.lock import RLock  # isort: skip
from locust import task  # isort: skip

ROUND = 2
KEEP_S = 6
lock = RLock()


class Keeping(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        with lock:
            if self.number == 0 and self.rounds == ROUND:
                gevent.sleep(KEEP_S)
        self.exchange()
