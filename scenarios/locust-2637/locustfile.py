"""The pattern of Locust issue 2637: look the queue up by name, send, receive, delete.

Everything that is varied comes by environment variables, each with a default. Alone it runs with plain
``locust -f locustfile.py`` against a moto server on its usual port, 5000. Works under Python 3.8 and newer, Locust
2.14.2 and newer, and any boto3 of those days.
"""

import os
import time

if os.environ.get("REPRO_IMPORT_ORDER", "locust-first") == "boto3-first":
    import boto3  # isort: skip  # the order is part of the experiment
    import locust
else:
    import locust
    import boto3  # isort: skip

from botocore.config import Config
from locust.exception import RescheduleTask

CLIENT = os.environ.get("REPRO_CLIENT", "per-iteration")
QUEUE_LOOKUP = os.environ.get("REPRO_QUEUE_LOOKUP", "every-iteration")
TRAFFIC = os.environ.get("REPRO_TRAFFIC", "send-receive")
HTTP = os.environ.get("REPRO_HTTP", "none")
QUEUE = os.environ.get("REPRO_QUEUE", "locust-2637")
THINK_TIME_S = float(os.environ.get("REPRO_THINK_TIME") or 0)
WAIT_TIME_S = int(float(os.environ.get("REPRO_WAIT_TIME_SECONDS") or 0))
IS_ALONE = "REPRO_TRIAL_DIR" not in os.environ
# boto3 of early 2023 does not read AWS_ENDPOINT_URL_SQS by itself.
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL_SQS") or ("http://127.0.0.1:5000" if IS_ALONE else None)
CA_BUNDLE = os.environ.get("AWS_CA_BUNDLE") or True  # boto3 reads it by itself, requests does not
MOST_MESSAGES = 10
HTTP_CALLS = 5

if IS_ALONE and ENDPOINT:  # an emulator asks for some credentials, whatever they are
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


def config():
    """The client's configuration; what is not set stays botocore's own default."""
    options = {}
    for name, kind in (("connect_timeout", float), ("read_timeout", float), ("max_pool_connections", int)):
        value = os.environ.get("REPRO_" + name.upper(), "")
        if value:
            options[name] = kind(value)
    retries = {}
    if os.environ.get("REPRO_MAX_ATTEMPTS"):
        retries["total_max_attempts"] = int(os.environ["REPRO_MAX_ATTEMPTS"])
    if os.environ.get("REPRO_RETRY_MODE"):
        retries["mode"] = os.environ["REPRO_RETRY_MODE"]
    if retries:
        options["retries"] = retries
    if os.environ.get("REPRO_TCP_KEEPALIVE", "0").lower() in {"1", "true"}:
        options["tcp_keepalive"] = True  # younger than the oldest boto3 that this file runs with
    return Config(**options)


def make_resource():
    """A new SQS resource, as the report's program made it."""
    return boto3.resource("sqs", endpoint_url=ENDPOINT, config=config())


SHARED = make_resource() if CLIENT == "shared" else None
if HTTP != "none":
    import requests  # Locust's own, imported by it long before

SESSION = requests.Session() if HTTP == "one-session" else None


class QueueUser(locust.User):
    """One user of the queue; every call of its client is a request in Locust's statistics."""

    wait_time = locust.constant(THINK_TIME_S)

    def on_start(self):
        self.resource = SHARED
        self.queue = None
        if CLIENT == "per-user":
            self.resource = make_resource()
        if QUEUE_LOOKUP == "on-start" and self.resource is not None:
            try:
                self.look_up()
            except RescheduleTask:
                pass  # the first iteration tries again

    @locust.task
    def send_receive_delete(self):
        if HTTP != "none":
            self.call_others()
        if CLIENT == "per-iteration":
            self.resource, self.queue = make_resource(), None
        if self.queue is None or QUEUE_LOOKUP == "every-iteration":
            self.look_up()
        if TRAFFIC == "send-receive":
            self.measured("send_message", lambda: self.queue.send_message(MessageBody="x"))
        messages = self.measured("receive_messages", self.receive)
        for message in messages:
            self.measured("delete_message", message.delete)

    def call_others(self):
        """What a test does beside SQS: plain HTTP, by one session or by a new one for each call, as `requests.get` makes it."""
        get = SESSION.get if SESSION is not None else requests.get
        for _ in range(HTTP_CALLS):
            self.measured("GET", lambda: get(ENDPOINT, timeout=60, verify=CA_BUNDLE))

    def look_up(self):
        self.queue = self.measured("get_queue_by_name", lambda: self.resource.get_queue_by_name(QueueName=QUEUE))

    def receive(self):
        return self.queue.receive_messages(MaxNumberOfMessages=MOST_MESSAGES, WaitTimeSeconds=WAIT_TIME_S)

    def measured(self, name, call):
        """Make the call and tell Locust; an iteration whose call failed ends there."""
        began = time.perf_counter()
        result, error = None, None
        try:
            result = call()
        except Exception as caught:  # noqa: BLE001  # whatever it is, Locust counts it
            error = caught
        self.environment.events.request.fire(
            request_type="SQS",
            name=name,
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            response=result,
            context={},
            exception=error,
        )
        if error is not None:
            raise RescheduleTask
        return result


@locust.events.init.add_listener
def make_queue(**_):
    """Alone, nobody else has made the queue."""
    if IS_ALONE and os.environ.get("REPRO_QUEUE") is None:
        boto3.client("sqs", endpoint_url=ENDPOINT, config=config()).create_queue(QueueName=QUEUE)
