"""Small locustfiles, composed: what a load does at import, in its users, in its task, and beside them."""

from textwrap import indent

HEAD = """import os, signal, sys, time
from locust import HttpUser, User, constant, events, task
import boto3
QUEUE = os.environ.get("REPRO_QUEUE", "orders")
"""
BASE = """
class Base(User):
    abstract = True
    wait_time = constant(0.1)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
"""
SEND = 'self.sqs.send_message(QueueUrl=self.url, MessageBody="x")'
SCRIPT = """from gevent import monkey
monkey.patch_all()
import os, time
import boto3
SQS = boto3.client("sqs")
URL = SQS.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "orders"))["QueueUrl"]
for number in range(5):
    SQS.send_message(QueueUrl=URL, MessageBody=str(number))
"""


def load(*, top: str = "", work: str = SEND, user: str = "", beside: str = "", name: str = "Sender") -> str:
    """A locustfile whose users send; each part is Python to add to it or, for ``work``, the task's body."""
    body = f"\nclass {name}(Base):\n    @task\n    def work(self):\n{indent(work, ' ' * 8)}\n"
    return HEAD + top + "\n" + BASE + body + indent(user, "    ") + "\n" + beside + "\n"


def after(seconds: float, action: str) -> str:
    """Something that a greenlet of the load does ``seconds`` after the test has begun."""
    return f"""
@events.test_start.add_listener
def plan(environment, **_):
    import gevent
    def act():
        time.sleep({seconds})
{indent(action, " " * 8)}
    gevent.spawn(act)
"""
