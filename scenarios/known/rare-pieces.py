"""Who gets an answer's body in two pieces reads the rest by a function that takes the lock which its caller holds.

A small body comes whole, as a rule: the server sends it at once.
"""

import http.client
from urllib.parse import urlsplit

from planted import ENDPOINT, QueueUser, own_factor  # isort: skip

from gevent.lock import BoundedSemaphore, RLock  # isort: skip
from locust import task  # isort: skip

LOCKS_TWICE = own_factor("defect", "true") == "true"
EVERY = 5
guard = BoundedSemaphore() if LOCKS_TWICE else RLock()
place = urlsplit(ENDPOINT or "http://127.0.0.1:5000")


def read_rest(answer):
    with guard:
        return answer.read()


class Reading(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.rounds % EVERY == 0:
            self.look()
        self.exchange()

    def look(self):
        """Any request with a small answer."""
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            connection.request("POST", "/", b"{}", {"X-Amz-Target": "AmazonSQS.ListQueues"})
            answer = connection.getresponse()
            with guard:
                body = answer.read1(65536)
                if not answer.isclosed() and answer.length:
                    body += read_rest(answer)
        finally:
            connection.close()
