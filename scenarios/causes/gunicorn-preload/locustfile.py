"""Gunicorn with one gevent worker serves an application that sends a message for each request (launch mode ``script``).

A process of its own asks it. With ``preload`` the application, and boto3 with it, is imported before the worker patches.
"""

import os
import subprocess
import sys

from gunicorn.app.base import BaseApplication

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
SECONDS = float(os.environ.get("REPRO_SECONDS") or 10)
ASKER = """
import http.client, sys, time
ends = time.monotonic() + float(sys.argv[2])
while time.monotonic() < ends:
    try:
        asked = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
        asked.request("GET", "/")
        asked.getresponse().read()
    except OSError:
        time.sleep(0.2)
    time.sleep(0.05)
"""


class Server(BaseApplication):
    def load_config(self):
        for name, value in (
            ("bind", "127.0.0.1:0"),
            ("worker_class", "gevent"),
            ("workers", 1),
            ("preload_app", os.environ.get("REPRO_PRELOAD", "yes") == "yes"),
            ("when_ready", ask),
        ):
            self.cfg.set(name, value)

    def load(self):
        import boto3

        def answer(_environ, start):
            sqs = boto3.client("sqs")
            sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody="x")
            start("200 OK", [("Content-Length", "0")])
            return [b""]

        return answer


def ask(arbiter):
    port = arbiter.LISTENERS[0].sock.getsockname()[1]
    subprocess.Popen([sys.executable, "-I", "-c", ASKER, str(port), str(SECONDS)])


Server().run()
