"""Slow but alive: it prepares for seconds before its first user, asleep and then at work, after its client is made."""

from planted import QueueUser  # isort: skip

import time  # isort: skip
from locust import events, task  # isort: skip

SLEEP_S = 4
WORK_S = 4

time.sleep(SLEEP_S)


@events.test_start.add_listener
def make_test_data(**_):
    until = time.monotonic() + WORK_S
    while time.monotonic() < until:
        sum(range(1000))


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()
