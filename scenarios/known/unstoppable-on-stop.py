"""Unstoppable: a user waits for ever in what it does at its end."""

from planted import QueueUser  # isort: skip

from gevent.event import Event  # isort: skip
from locust import task  # isort: skip

never = Event()


class Lingering(QueueUser):
    @task
    def work(self):
        self.exchange()

    def on_stop(self):
        if self.number == 0:
            never.wait()
