"""Silent: users that never send anything."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip


class Idle(QueueUser):
    @task
    def work(self):
        gevent.sleep(0.1)
