"""Deadlocked, and printing: the output goes on while all users are stuck."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip
from locust import events  # isort: skip

ROUND = 2
lock = Semaphore()


@events.test_start.add_listener
def chat(**_):
    gevent.spawn(print_on)


def print_on():
    while True:
        print("still here: 100 % fine, 1234.5 requests per second")
        gevent.sleep(0.02)


class Stuck(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.rounds >= ROUND:  # in every later one too: who is early must find the lock taken
            if self.number == 0 and self.rounds == ROUND:
                holder = gevent.spawn(lock.acquire)
                holder.join()  # dead, and the lock with it
            with lock:
                pass
        self.exchange()
