"""The load is told to stop by a signal, long before its time."""

import os

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
import signal  # isort: skip
from locust import events, task  # isort: skip


@events.test_start.add_listener
def end_soon(**_):
    gevent.spawn_later(1.5, os.killpg, os.getpgrp(), signal.SIGTERM)


class Working(QueueUser):
    @task
    def work(self):
        self.exchange()
