"""Unstoppable: users end, and Python joins a non-daemon thread that never does."""

import time

from planted import QueueUser  # isort: skip

import threading  # isort: skip  # patched by now

from locust import task  # isort: skip

threading.Thread(target=time.sleep, args=(3600,)).start()


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()
