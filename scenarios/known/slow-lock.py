"""Slow but alive: users take turns on a lock that each of them keeps for most of a second."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

KEEP_S = 0.7
lock = Semaphore()


class Queueing(QueueUser):
    @task
    def work(self):
        with lock:
            gevent.sleep(KEEP_S)
            self.exchange()
