"""Who is told to stop within a certain millisecond takes the only seat along; the others want it once more at their end.

One exchange in twenty takes the seat, for a millisecond. A user whose GreenletExit arrives there never gives it back.
"""

from planted import QueueUser, own_factor  # isort: skip

import gevent  # isort: skip
from gevent.lock import BoundedSemaphore  # isort: skip
from locust import task  # isort: skip

FORGETS = own_factor("defect", "true") == "true"
EVERY, WINDOW_S = 20, 0.001
seat = BoundedSemaphore()


class Seated(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if (self.rounds + self.number) % EVERY == 0:
            seat.acquire()
            try:
                gevent.sleep(WINDOW_S)
            except BaseException:
                if not FORGETS:
                    seat.release()
                raise
            seat.release()
        self.exchange()

    def on_stop(self):
        with seat:
            pass
