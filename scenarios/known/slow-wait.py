"""Slow but alive: all users wait for an event that never comes, each time for at most four seconds."""

from planted import QueueUser  # isort: skip

from gevent.event import Event  # isort: skip
from locust import task  # isort: skip

PATIENCE_S = 4
never = Event()


class Patient(QueueUser):
    @task
    def work(self):
        self.exchange()
        never.wait(PATIENCE_S)
