"""Every operation fails at once."""

import planted  # isort: skip

from botocore.exceptions import ClientError  # isort: skip
from locust import task  # isort: skip


class Failing(planted.QueueUser):
    @task
    def work(self):
        try:
            planted.CLIENT.send_message(
                QueueUrl=planted.CLIENT.meta.endpoint_url + "/123456789012/none", MessageBody="x"
            )
        except ClientError:
            pass  # the load goes on, as a tolerant user's would
