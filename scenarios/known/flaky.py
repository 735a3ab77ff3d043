"""Flaky: hangs with probability p."""

import os
import random

from planted import QueueUser, own_factor  # isort: skip

from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

ROUND = 2
K = 3
P = own_factor("p", 0.5)
IS_HANGING = random.Random(os.environ.get("REPRO_SEED")).random() < P
never = Semaphore(0)


class Flaky(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if IS_HANGING and self.number < K and self.rounds == ROUND:
            never.acquire()
        self.exchange()
