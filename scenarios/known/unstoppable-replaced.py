"""Unstoppable: what a task does in its ``finally`` raises, and its exception takes the place of GreenletExit."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Careless(QueueUser):
    @task
    def work(self):
        while True:  # the exception may come at any point of a user's life: none may lie outside
            is_whole = False
            try:
                self.exchange()
                self.wait()
                is_whole = True
            finally:
                if not is_whole:
                    raise RuntimeError("closed in the middle of a request")
