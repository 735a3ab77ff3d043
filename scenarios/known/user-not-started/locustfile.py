"""Every user dies in ``on_start``."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Stillborn(QueueUser):
    def on_start(self):
        super().on_start()
        raise KeyError("credentials")

    @task
    def work(self):
        self.exchange()
