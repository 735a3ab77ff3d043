"""Spinning: one user of ten loops for ever and lets the others run in between."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip

ROUND = 2
is_ready = []


class Polling(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        while self.number == 0 and self.rounds == ROUND and not is_ready:
            gevent.sleep(0)
        self.exchange()
