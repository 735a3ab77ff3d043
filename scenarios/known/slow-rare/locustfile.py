"""Slow but alive: one operation a minute."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip

PAUSE_S = 60


class Rare(QueueUser):
    @task
    def work(self):
        self.exchange()
        gevent.sleep(PAUSE_S)
