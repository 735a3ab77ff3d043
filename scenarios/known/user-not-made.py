"""No user can be made: its ``__init__`` raises."""

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip


class Unmade(QueueUser):
    def __init__(self, environment):
        super().__init__(environment)
        self.queue = environment.parsed_options.no_such_option

    @task
    def work(self):
        self.exchange()
