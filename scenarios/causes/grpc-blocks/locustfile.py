"""One user of several calls a gRPC server that answers late; the others send messages, or wait with it.

The server is a socket in a process of its own that says nothing for a while, then closes.
"""

import os
import subprocess
import sys

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import grpc

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
ANSWERS_AFTER_S = 8
SERVER = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listening.accept())
"""

if os.environ.get("REPRO_COOPERATIVE") == "yes":
    from grpc.experimental import gevent as grpc_gevent

    grpc_gevent.init_gevent()

server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
PORT = int(server.stdout.readline())


class Sender(User):
    wait_time = constant(0.1)
    rounds = 0

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
        Sender.rounds += 1
        if Sender.rounds == 20:
            ask = grpc.insecure_channel(f"127.0.0.1:{PORT}").unary_unary("/load/ask", bytes, bytes)
            try:
                ask(b"", wait_for_ready=True, timeout=ANSWERS_AFTER_S)
            except grpc.RpcError as error:
                print("the server says:", error.code())
