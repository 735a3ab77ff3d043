"""A native thread answers in the microsecond between a user's look whether it has, and the note that the user waits.

The thread sees nobody who waits and wakes nobody; the user waits without end, and one after the other does. Both work for as
long as the interpreter leaves one of them alone: only where it switches between them meanwhile do they meet at all.
"""

import random

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.event import Event  # isort: skip
from locust import task  # isort: skip

LOOKS_FIRST = own_factor("defect", "true") == "true"
CHECKS = 2500


def check(amount):
    return amount + 1


def work(checks):
    amount = 0
    for _ in range(checks):
        amount = check(amount)


class Mailbox:
    """What a native thread hands over to a greenlet."""

    def __init__(self):
        self.is_there = False
        self.waiter = None

    def put(self, loop, checks):
        """In the native thread, once it has worked."""
        work(checks)
        self.is_there = True
        waiter = self.waiter
        if waiter is not None:
            loop.run_callback_threadsafe(waiter.set)

    def take(self):
        """In the greenlet."""
        if LOOKS_FIRST and self.is_there:
            return
        self.note(Event())  # at a call the interpreter may switch threads
        if LOOKS_FIRST or not self.is_there:
            self.waiter.wait()

    def note(self, waiter):
        self.waiter = waiter


class Waiter(QueueUser):
    @task
    def work(self):
        hub, box = gevent.get_hub(), Mailbox()
        hub.threadpool.spawn(box.put, hub.loop, random.randrange(2 * CHECKS))
        work(CHECKS)
        box.take()
        self.exchange()
