"""One user of several connects to a database that answers late; the others send messages, or wait with it.

The database is a socket in a process of its own that says nothing for a while, then closes.
"""

import os
import subprocess
import sys

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
import psycopg2
import psycopg2.extensions
import psycopg2.extras

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
ANSWERS_AFTER_S = 8
SERVER = """
import socket, sys, threading, time
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
while True:
    peer, _ = listening.accept()
    threading.Timer(float(sys.argv[1]), peer.close).start()
"""

if os.environ.get("REPRO_COOPERATIVE") == "yes":
    psycopg2.extensions.set_wait_callback(psycopg2.extras.wait_select)

database = subprocess.Popen([sys.executable, "-c", SERVER, str(ANSWERS_AFTER_S)], stdout=subprocess.PIPE)
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
                psycopg2.connect(host="127.0.0.1", port=PORT, user="load", dbname="load")
            except psycopg2.OperationalError as error:
                print("the database says:", error)
