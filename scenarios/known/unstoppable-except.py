"""Unstoppable: a retry helper of the program catches whatever is raised, GreenletExit too."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


def stubborn(call):
    while True:
        try:
            return call()
        except:  # noqa: E722, PERF203  # that is the plant
            continue


class Stubborn(QueueUser):
    @task
    def work(self):
        while True:  # the exception may come at any point of a user's life: none may lie outside
            stubborn(self.rest)

    def rest(self):
        self.exchange()
        self.wait()
