"""Crash: the process dies in the middle of the load."""

import os
import signal

from planted import QueueUser, own_factor  # isort: skip

from locust import task  # isort: skip

ROUND = 2
HOW = own_factor("how", "segfault")


class Dying(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.rounds == ROUND:
            if HOW == "segfault":
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGSEGV)
            os._exit(3 if HOW == "exit" else 0)
        self.exchange()
