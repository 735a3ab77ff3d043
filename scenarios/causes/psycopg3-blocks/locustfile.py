"""One user of several asks a database that answers late; the others send messages, or wait with it.

The database is a process of its own that speaks as much of PostgreSQL's protocol as a login takes, and then says nothing
for a while.
"""

import os
import subprocess
import sys

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import psycopg

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
ANSWERS_AFTER_S = 8
DATABASE = """
import socket, struct, sys, threading

def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body

WELCOME = (
    message(b"R", struct.pack("!i", 0))
    + message(b"S", b"server_version\\0" + b"16.0\\0")
    + message(b"S", b"client_encoding\\0" + b"UTF8\\0")
    + message(b"Z", b"I")
)

def serve(peer):
    while True:
        length, asked = struct.unpack("!ii", peer.recv(8))
        if asked not in (80877103, 80877104):  # TLS and GSSAPI are refused
            break
        peer.sendall(b"N")
    peer.recv(length - 8)
    peer.sendall(WELCOME)
    peer.recv(1000)
    threading.Timer(float(sys.argv[1]), peer.close).start()

listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],)).start()
"""

database = subprocess.Popen([sys.executable, "-c", DATABASE, str(ANSWERS_AFTER_S)], stdout=subprocess.PIPE)
PORT = int(database.stdout.readline())


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
            try:
                with psycopg.connect(
                    host="127.0.0.1", port=PORT, user="load", dbname="load", autocommit=True
                ) as connection:
                    connection.execute("SELECT 1")
            except psycopg.OperationalError as error:
                print("the database says:", error)
