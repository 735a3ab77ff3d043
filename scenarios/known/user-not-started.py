"""Every user dies in ``on_start``."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Stillborn(QueueUser):
    def on_start(self):
        super().on_start()
        raise KeyError("credentials")

    @task
    def work(self):
        self.exchange()
