"""Unstoppable: k of n users swallow the exception that should end them."""

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip

K = own_factor("k", 3)


class Stubborn(QueueUser):
    @task
    def work(self):
        while True:  # the exception may come at any point of a user's life: none may lie outside
            try:
                self.exchange()
                gevent.sleep(0.1)
            except gevent.GreenletExit:  # noqa: PERF203  # that is the plant
                if self.number >= K:
                    raise
