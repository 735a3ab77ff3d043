"""Never begun: what prepares the test waits for an event that nobody sets, and no user is ever spawned."""

from planted import QueueUser  # isort: skip

from gevent.event import Event  # isort: skip
from locust import events, task  # isort: skip

never = Event()


@events.test_start.add_listener
def wait_for_the_others(**_):
    never.wait()


class Unborn(QueueUser):
    @task
    def work(self):
        self.exchange()
