"""Recovers: all users are silent for a while, then go on."""

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent import monkey  # isort: skip
from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

ROUND = 2
SILENCE_S = own_factor("silence_s", 1.0)
sleep = gevent.sleep if own_factor("how", "lock") == "lock" else monkey.get_original("time", "sleep")
lock = Semaphore()


class Pausing(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.rounds >= ROUND:  # in every later one too: who is late must find the lock taken
            with lock:
                if self.number == 0 and self.rounds == ROUND:
                    sleep(SILENCE_S)
        self.exchange()
