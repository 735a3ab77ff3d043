"""Spinning: one greenlet loops for ever and never yields."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip

ROUND = 2


class Looping(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        while self.number == 0 and self.rounds == ROUND:
            pass
        self.exchange()
