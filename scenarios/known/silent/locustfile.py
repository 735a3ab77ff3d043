"""Silent: users that never send anything."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip


class Idle(QueueUser):
    @task
    def work(self):
        gevent.sleep(0.1)
