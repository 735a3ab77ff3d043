"""Unstoppable: users end, and the process waits at its exit for a native thread."""

import atexit

from planted import QueueUser  # isort: skip

from locust import task  # isort: skip
from gevent import monkey  # isort: skip

has_ended = monkey.get_original("_thread", "allocate_lock")()
has_ended.acquire()


def work_natively():
    monkey.get_original("time", "sleep")(3600)
    has_ended.release()


monkey.get_original("_thread", "start_new_thread")(work_natively, ())
atexit.register(has_ended.acquire)


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()
