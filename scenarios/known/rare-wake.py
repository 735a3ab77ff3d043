"""A native thread answers in the microseconds between a user's look whether it has, and the note that the user waits.

The thread sees nobody who waits and wakes nobody; the user waits without end, and one after the other does.
"""

import random

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.event import Event  # isort: skip
from gevent.monkey import get_original  # isort: skip
from locust import task  # isort: skip

LOOKS_FIRST = own_factor("defect", "true") == "true"
DIGITS = 100
SHORTEST_S, LONGEST_S = 0.002, 0.004
work_natively = get_original("time", "sleep")


class Mailbox:
    """What a native thread hands over to a greenlet."""

    def __init__(self, name):
        self.name = name
        self.is_there = False
        self.waiter = None

    def put(self, loop, seconds):
        """In the native thread, once it has worked."""
        work_natively(seconds)
        self.is_there = True
        waiter = self.waiter
        if waiter is not None:
            loop.run_callback_threadsafe(waiter.set)

    def take(self):
        """In the greenlet."""
        if LOOKS_FIRST and self.is_there:
            return
        self.note(f"{self.name} waits", Event())
        if LOOKS_FIRST or not self.is_there:
            self.waiter.wait()

    def note(self, label, waiter):
        self.label = label + "".join(str(digit) for digit in range(DIGITS))
        self.waiter = waiter


class Waiter(QueueUser):
    @task
    def work(self):
        hub = gevent.get_hub()
        box = Mailbox(self.number)
        hub.threadpool.spawn(box.put, hub.loop, random.uniform(SHORTEST_S, LONGEST_S))
        gevent.sleep(SHORTEST_S)
        box.take()
        self.exchange()
