"""Prints a gigabyte, and is healthy."""

import os

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from locust import task  # isort: skip
from locust import events  # isort: skip

CHUNK = b"x" * 1023 + b"\n"
CHUNKS_AT_ONCE = 1024
GIGABYTE = 1024  # in megabytes


@events.test_start.add_listener
def start_printing(**_):
    gevent.spawn(print_much)


def print_much():
    for _ in range(GIGABYTE):
        os.write(1, CHUNK * CHUNKS_AT_ONCE)
        gevent.sleep(0.001)


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()
