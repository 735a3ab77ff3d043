"""Slow but alive: long polls of 20 s."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip

POLL_S = 20


class Patient(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.rounds == 1:
            self.exchange()
        self.receive(POLL_S)
