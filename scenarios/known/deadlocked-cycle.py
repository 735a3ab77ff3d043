"""Deadlocked: two users take two locks in opposite orders."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

ROUND = 2
first, second = Semaphore(), Semaphore()
holding = []


class Crossing(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number < 2 and self.rounds == ROUND:
            one, other = (first, second) if self.number == 0 else (second, first)
            with one:
                holding.append(self)
                while len(holding) < 2:  # however late the other one is: without it there is no circle
                    gevent.sleep(0.05)
                with other:
                    pass
        self.exchange()
