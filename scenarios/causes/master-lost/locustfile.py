"""A worker whose connection to its master goes silent four seconds after its users began, as behind a firewall.

A process of its own stands between the two and passes on what they say, until it does not.
"""

import os
import pathlib
import subprocess
import sys

from locust import User, constant, events, runners, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import gevent

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
HEADLESS_MASTER = os.environ.get("REPRO_MASTER", "quits")
SILENT_AFTER_S = 4
BEGUN = os.path.abspath("begun")
BETWEEN = """
import os, socket, sys, threading, time
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
def is_silent():
    try:
        return time.time() > os.stat(sys.argv[2]).st_mtime + float(sys.argv[3])
    except OSError:
        return False
def carry(source, target):
    while data := source.recv(65536):
        if not is_silent():
            target.sendall(data)
while True:
    worker, _ = listening.accept()
    try:
        master = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    except OSError:  # it has not begun to listen: the worker comes again
        worker.close()
        continue
    threading.Thread(target=carry, args=(worker, master), daemon=True).start()
    threading.Thread(target=carry, args=(master, worker), daemon=True).start()
"""
runners.MASTER_HEARTBEAT_TIMEOUT = 6  # Locust's own is 60 s, where it has one


class Client(runners.rpc.Client):
    def __init__(self, _host, port, *others, **more):
        words = [sys.executable, "-I", "-c", BETWEEN, str(port), BEGUN, str(SILENT_AFTER_S)]
        between = subprocess.Popen(words, stdout=subprocess.PIPE)
        super().__init__("127.0.0.1", int(between.stdout.readline()), *others, **more)


runners.rpc.Client = Client


@events.init.add_listener
def begin(environment, **_):
    if HEADLESS_MASTER == "quits" and isinstance(environment.runner, runners.MasterRunner):
        environment.events.test_stop.add_listener(lambda **_: gevent.spawn(environment.runner.quit))


class Sender(User):
    wait_time = constant(0.1)

    def on_start(self):
        pathlib.Path(BEGUN).touch(exist_ok=True)
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
