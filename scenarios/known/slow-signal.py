"""Slow but alive: nine users wait for a signal that the tenth gives, who first sleeps for longer than a stall may take."""

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
from gevent.event import Event  # isort: skip
from locust import task  # isort: skip

USERS = 10
SLEEP_S = 3
here = []
signals = [Event()]


class Meeting(QueueUser):
    @task
    def work(self):
        signal = signals[-1]
        here.append(self)
        if len(here) == USERS:
            here.clear()
            signals.append(Event())
            gevent.sleep(SLEEP_S)
            signal.set()
        signal.wait()
        self.exchange()
