"""Every task raises, outside of any operation."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Raising(QueueUser):
    @task
    def work(self):
        self.send()
        raise AttributeError("request_success")
