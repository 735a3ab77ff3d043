"""Crash: the file raises while it is imported."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()


raise RuntimeError("planted: this file cannot be imported")
