"""A deep queue: slow calls by the backend's own slowness."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()
