"""Slow but alive: a long queue that moves."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

KEEP_S = 0.05
places = Semaphore(4)


class Queueing(QueueUser):
    @task
    def work(self):
        with places:
            gevent.sleep(KEEP_S)
            self.send()
