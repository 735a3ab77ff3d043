"""Failing: three of five operations fail."""

import planted  # isort: skip

from botocore.exceptions import ClientError  # isort: skip
from locust import task  # isort: skip


class Failing(planted.QueueUser):
    @task
    def work(self):
        self.rounds += 1
        url = planted.queue_url()
        if self.rounds % 5 < 3:
            url += "-that-is-not-there"
        try:
            planted.CLIENT.send_message(QueueUrl=url, MessageBody="x")
        except ClientError:
            pass  # the load goes on, as a tolerant user's would
