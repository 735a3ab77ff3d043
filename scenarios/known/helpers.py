"""Slow but alive: users let helpers call the client and only wait for them."""

from planted import QueueUser  # isort: skip

from gevent.pool import Pool  # isort: skip
from locust import task  # isort: skip

HELPERS = 3


class Delegating(QueueUser):
    def on_start(self):
        super().on_start()
        self.pool = Pool(HELPERS)

    @task
    def work(self):
        self.rounds += 1
        if self.rounds == 1:
            self.exchange()
        for _ in range(HELPERS):
            self.pool.spawn(self.exchange)
        self.pool.join()
