"""Deadlocked: one user of ten waits for an event that nobody sets, while the others get on."""

from planted import QueueUser  # isort: skip

from gevent.event import Event  # isort: skip
from locust import task  # isort: skip

ROUND = 2
never = Event()


class Waiting(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number == 0 and self.rounds == ROUND:
            never.wait()
        self.exchange()
