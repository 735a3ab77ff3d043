"""Unanswered: k of n users ask a server that accepts and never answers."""

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
import requests  # isort: skip
from gevent import socket  # isort: skip
from locust import task  # isort: skip

ROUND = 2
K = own_factor("k", 1)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
kept = []


def accept():
    while True:
        kept.append(listener.accept())


class Asking(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number < K and self.rounds == ROUND:
            if not kept:
                gevent.spawn(accept)
            requests.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")  # without a time-out: that is the truth
        self.exchange()
