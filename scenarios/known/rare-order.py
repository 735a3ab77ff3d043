"""Two native threads take the same two locks in opposite order, and hold the first for a microsecond.

They block each other only where the interpreter switches threads between the first lock and the second, and the other
thread gets just as far. All users then wait for the threads.
"""

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.monkey import get_original  # isort: skip
from locust import task  # isort: skip

HAS_TWO_ORDERS = own_factor("defect", "true") == "true"
MOVES, CHECKS = 100, 10
allocate_lock = get_original("_thread", "allocate_lock")
left, right = allocate_lock(), allocate_lock()
balance = {"left": 0, "right": 0}


def check(amount):
    return amount + 1


def book(name, amount):
    balance[name] += amount


def move(one, other):
    for _ in range(MOVES):
        amount = 0
        for _ in range(CHECKS):
            amount = check(amount)
        with one:
            book("left", -amount)  # at a call the interpreter may switch threads
            with other:
                book("right", amount)


class Mover(QueueUser):
    @task
    def work(self):
        threads = gevent.get_hub().threadpool
        there = threads.spawn(move, left, right)
        back = threads.spawn(move, *((right, left) if HAS_TWO_ORDERS else (left, right)))
        gevent.joinall([there, back])
        self.exchange()
