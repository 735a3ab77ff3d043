"""The test ends itself, before its time."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import events, task  # isort: skip


@events.test_start.add_listener
def enough(environment, **_):
    gevent.spawn_later(2, environment.runner.quit)


class Working(QueueUser):
    @task
    def work(self):
        self.exchange()
