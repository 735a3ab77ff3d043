"""Unstoppable: the clean-up of a task set raises, and its exception takes the place of GreenletExit."""

from planted import QueueUser  # isort: skip

from locust import TaskSet, task  # isort: skip


class Steps(TaskSet):
    @task
    def work(self):
        self.user.exchange()

    def on_stop(self):
        raise RuntimeError("the connection is closed already")


class Careless(QueueUser):
    tasks = (Steps,)
