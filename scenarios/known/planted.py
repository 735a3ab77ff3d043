"""What the planted truths share: users of an SQS queue whose calls go through one botocore client.

A truth's locustfile adds this folder to ``sys.path`` and derives its users from ``QueueUser``.
"""

import os

import locust  # before boto3, as usual: it patches the standard library

import boto3  # isort: skip
from botocore.config import Config

QUEUE = os.environ.get("REPRO_QUEUE", "planted")
THINK_TIME_S = float(os.environ.get("REPRO_THINK_TIME") or 0.1)
IS_ALONE = "REPRO_TRIAL_DIR" not in os.environ
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL_SQS") or ("http://127.0.0.1:5000" if IS_ALONE else None)

if IS_ALONE and ENDPOINT:  # an emulator asks for some credentials, whatever they are
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

CLIENT = boto3.client("sqs", endpoint_url=ENDPOINT, config=Config(max_pool_connections=50))
_queue_urls = {}


def own_factor(name, default):
    """The level of a truth's own factor, of the same type as its default."""
    return type(default)(os.environ.get("REPRO_" + name.upper()) or default)


def queue_url():
    """The queue's address, asked for once in a process; alone, the queue is made."""
    if QUEUE not in _queue_urls:
        call = CLIENT.create_queue if IS_ALONE else CLIENT.get_queue_url
        _queue_urls[QUEUE] = call(QueueName=QUEUE)["QueueUrl"]
    return _queue_urls[QUEUE]


class Crowd:
    """Counts the users of this process, so that the first k of n can be told from the others."""

    def __init__(self):
        self.size = 0

    def enter(self):
        """The number of the user that enters, from 0."""
        self.size += 1
        return self.size - 1


CROWD = Crowd()


class QueueUser(locust.User):
    """Sends and receives; ``number`` counts the users from 0, ``rounds`` this user's iterations that began."""

    abstract = True
    wait_time = locust.constant(THINK_TIME_S)

    def on_start(self):
        self.number = CROWD.enter()
        self.rounds = 0

    def exchange(self):
        """One message there, and whatever is there back."""
        self.send()
        self.receive()

    def send(self):
        CLIENT.send_message(QueueUrl=queue_url(), MessageBody="x")

    def receive(self, wait_s=0):
        answer = CLIENT.receive_message(QueueUrl=queue_url(), MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
        for message in answer.get("Messages", []):
            CLIENT.delete_message(QueueUrl=queue_url(), ReceiptHandle=message["ReceiptHandle"])
