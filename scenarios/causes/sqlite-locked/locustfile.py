"""Users note what they sent in SQLite, and one gives way inside its transaction: the next waits in C for the lock."""

import os

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
SENDS_INSIDE = os.environ.get("REPRO_TRANSACTION", "around-call") == "around-call"
NOTES = create_engine("sqlite:///notes.sqlite", connect_args={"timeout": 30}, poolclass=NullPool)
with NOTES.begin() as connection:
    connection.execute(text("CREATE TABLE IF NOT EXISTS sent (message TEXT)"))


class Sender(User):
    wait_time = constant(0.1)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")

    @task
    def note(self):
        if not SENDS_INSIDE:
            self.send()
        with NOTES.begin() as connection:
            connection.execute(text("INSERT INTO sent VALUES ('x')"))
            if SENDS_INSIDE:
                self.send()
