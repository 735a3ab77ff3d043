"""Every task raises, outside of any operation."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Raising(QueueUser):
    @task
    def work(self):
        self.send()
        raise AttributeError("request_success")
