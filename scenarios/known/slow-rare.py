"""Slow but alive: one operation a minute."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip

PAUSE_S = 60


class Rare(QueueUser):
    @task
    def work(self):
        self.exchange()
        gevent.sleep(PAUSE_S)
