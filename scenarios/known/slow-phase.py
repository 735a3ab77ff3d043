"""Slow but alive: all users wait for the next phase, which a greenlet begins after six seconds."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from gevent.event import Event  # isort: skip
from locust import events, task  # isort: skip

PHASE_S = 6
next_phase = Event()


@events.test_start.add_listener
def begin_phases(**_):
    gevent.spawn(begin_late)


def begin_late():
    gevent.sleep(PHASE_S)
    next_phase.set()


class Phased(QueueUser):
    @task
    def work(self):
        self.exchange()
        next_phase.wait()
