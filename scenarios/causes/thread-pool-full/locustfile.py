"""Ten reports run a driver's blocking call in gevent's own thread pool; the users need that pool to resolve a name.

The database is a socket in a process of its own that accepts and says nothing until the load has ended.
"""

import os
import subprocess
import sys

from locust import User, constant, events, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import gevent
import psycopg2
from gevent.threadpool import ThreadPool

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
REPORTS = 10
DATABASE = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
peers = []
while True:
    peers.append(listening.accept())
"""

database = subprocess.Popen([sys.executable, "-c", DATABASE], stdout=subprocess.PIPE)
PORT = int(database.stdout.readline())
POOL = ThreadPool(10) if os.environ.get("REPRO_POOL") == "own" else gevent.get_hub().threadpool


@events.test_start.add_listener
def report(**_):
    for _ in range(REPORTS):
        gevent.spawn_later(1, ask)


@events.test_stop.add_listener
def end(**_):
    database.kill()  # which ends the calls, or their threads would outlive the users


def ask():
    try:
        POOL.apply(psycopg2.connect, kwds={"host": "127.0.0.1", "port": PORT, "user": "load", "dbname": "load"})
    except psycopg2.OperationalError as error:
        print("the database says:", error)


class Sender(User):
    wait_time = constant(0.1)

    @task
    def send(self):
        sqs = boto3.client("sqs")  # a new client has no connection yet
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody="x")
