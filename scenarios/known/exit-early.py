"""Exits with 0 before anything was sent."""

import os

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Leaving(QueueUser):
    @task
    def work(self):
        os._exit(0)
