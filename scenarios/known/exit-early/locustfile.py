"""Exits with 0 before anything was sent."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Leaving(QueueUser):
    @task
    def work(self):
        os._exit(0)
