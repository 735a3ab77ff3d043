"""Frozen: the process is stopped by a signal, as by a debugger or from a terminal that it wants to write to."""

import os

from planted import QueueUser  # isort: skip

import signal  # isort: skip
from locust import task  # isort: skip

ROUND = 2


class Stopping(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number == 0 and self.rounds == ROUND:
            os.kill(os.getpid(), signal.SIGSTOP)
        self.exchange()
