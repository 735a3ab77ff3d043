"""Crash: the file raises while it is imported."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()


raise RuntimeError("planted: this file cannot be imported")
