"""Spinning: the event loop turns, a core burns, and no operation ends."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip

ROUND = 2
is_ready = []


class Polling(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        while self.rounds == ROUND and not is_ready:
            gevent.sleep(0)
        self.exchange()
