"""Slow but alive: users wait for greenlets of their own that poll for longer than a stall may take."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip

HELPERS = 2
POLL_S = 6


class Joining(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.rounds == 1:
            self.exchange()
        gevent.joinall([gevent.spawn(self.receive, POLL_S) for _ in range(HELPERS)])
