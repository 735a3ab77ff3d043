"""Frozen: a C call holds the interpreter's lock, so that no thread of Python runs."""

import ctypes

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip

ROUND = 2
SLEEP_S = 600


class Holding(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number == 0 and self.rounds == ROUND:
            ctypes.PyDLL(None).sleep(SLEEP_S)  # a PyDLL call keeps the lock, a CDLL call would not
        self.exchange()
