"""Deadlocked, and deaf to SIGTERM."""

import signal

from planted import QueueUser  # isort: skip

from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

ROUND = 2
never = Semaphore(0)


class Deaf(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.rounds == ROUND:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            never.acquire()
        self.exchange()
