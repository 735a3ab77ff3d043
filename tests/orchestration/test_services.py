"""Somebody's load of another service, with what it expects or without it, and clients that nobody hooked: real trials."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from repro.model import HangClass, Provision, Trial, TrialOptions, Verdict
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of

pytestmark = pytest.mark.timed

DYNAMODB = """
import boto3
import locust
from locust import events

store = None


@events.test_start.add_listener
def connect(environment, **_):
    global store
    if isinstance(environment.runner, locust.runners.MasterRunner):
        return
    store = boto3.resource("dynamodb")
    try:
        store.create_table(
            TableName="Log",
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except store.meta.client.exceptions.ResourceInUseException:
        pass


class Writer(locust.User):
    wait_time = locust.constant(0.1)

    @locust.task
    def write(self):
        store.Table("Log").put_item(Item={"Id": "x"})
"""

FIXED_QUEUE = """
import boto3
import locust


class Consumer(locust.User):
    wait_time = locust.constant(0.1)

    def on_start(self):
        self.queue = boto3.resource("sqs").get_queue_by_name(QueueName="my-queue")

    @locust.task
    def receive(self):
        self.queue.receive_messages(WaitTimeSeconds=0)
"""

ELSEWHERE = """
import boto3
import locust
import requests
from botocore.config import Config


class Store(locust.HttpUser):
    wait_time = locust.constant(0.1)

    def on_start(self):
        self.s3 = boto3.client(
            "s3",
            endpoint_url="http://localhost:19",
            aws_access_key_id="own",
            aws_secret_access_key="own",
            config=Config(retries={"total_max_attempts": 1}),
        )

    @locust.task
    def put(self):
        self.s3.put_object(Bucket="load", Key=str(id(self)), Body=b"x", ACL="public-read")
        assert requests.get("http://localhost:19/load/%d" % id(self)).content == b"x"
        self.client.get("/load/%d" % id(self), name="get")
"""

SILENT_CLIENT = """
import socket
import os
import locust
from urllib.parse import urlsplit

SERVER = urlsplit(os.environ["AWS_ENDPOINT_URL"])


class Raw(locust.User):
    wait_time = locust.constant(0.1)

    @locust.task
    def ask(self):
        with socket.create_connection((SERVER.hostname, SERVER.port)) as one:
            one.sendall(b"GET /?Action=ListQueues HTTP/1.0\\r\\n\\r\\n")
            while one.recv(4096):
                pass
"""

STORED = """
import boto3
import locust
from botocore.config import Config


class Store(locust.User):
    wait_time = locust.constant(0.1)

    def on_start(self):
        config = Config(read_timeout=None, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        self.s3 = boto3.client("s3", config=config)

    @locust.task
    def put(self):
        self.s3.put_object(Bucket="load", Key=str(id(self)), Body=b"x" * 100_000)
"""

REFUSED = """
import locust


class Own(locust.HttpUser):
    host = "http://localhost:19"
    wait_time = locust.constant(0.1)

    @locust.task
    def get(self):
        self.client.get("/nothing/there")
"""


def trial_of(source: str, tmp_path: Path, *levels: str, launch: str = "cli", **provision: tuple[str, ...]) -> Trial:
    mine = tmp_path / "mine.py"
    mine.write_text(source)
    load = ("stack=none", f"launch={launch}", "users=3", "spawn_rate=3", "seconds=3", *levels)
    request = RunRequest(locustfile=mine, python=Path(sys.executable), overrides=load, provision=Provision(**provision))
    prepared = prepare(request)
    options = SessionOptions(TrialOptions(locustfile=mine, is_untouched=True, provision=prepared.provision))
    with Session(prepared.plan, options) as session:
        return session.trial(prepared.plan.cells[0], 1, tmp_path / "evidence")


def test_a_resource_of_another_service_made_at_test_start_is_served_to_every_worker(tmp_path: Path) -> None:
    trial = trial_of(DYNAMODB, tmp_path, launch="distributed")
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert trial.operations.ended > 10 * trial.operations.failed  # the second worker's table is there already


def test_a_queue_of_a_fixed_name_is_there_when_asked_for_and_named_when_not(tmp_path: Path) -> None:
    trial = trial_of(FIXED_QUEUE, tmp_path, queues=("my-queue",))
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    trial = trial_of(FIXED_QUEUE, tmp_path)
    assert trial.verdict is Verdict.CRASH, reason_of(trial)
    assert (
        "Queue my-queue does not exist at the start of a trial. Add --queue my-queue, or --before COMMAND."
        in reason_of(trial)
    )


def test_an_address_in_the_file_is_led_to_the_backend_and_named_when_not(tmp_path: Path) -> None:
    trial = trial_of(ELSEWHERE, tmp_path, buckets=("load",), redirects=("http://localhost:19",))
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert trial.operations.ended > trial.operations.failed == 0
    trial = trial_of(ELSEWHERE.replace("HttpUser", "User"), tmp_path)
    assert trial.verdict in {Verdict.CRASH, Verdict.FAILING}
    assert "Add --redirect http://localhost:19 to send them to it." in reason_of(trial)


def test_what_no_known_client_sent_is_known_by_the_backends_log(tmp_path: Path) -> None:
    trial = trial_of(SILENT_CLIENT, tmp_path)
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert "no call of a known client was seen, but the backend's log has" in reason_of(trial)


def test_what_locust_calls_a_failure_is_one_though_its_client_had_an_answer(tmp_path: Path) -> None:
    trial = trial_of(REFUSED, tmp_path, redirects=("http://localhost:19",))
    assert trial.verdict is Verdict.CRASH, reason_of(trial)
    assert "HTTPError" in reason_of(trial)


def test_an_upload_over_tls_that_is_never_answered_is_a_hang_and_one_that_is_refused_is_not(tmp_path: Path) -> None:
    tls = ("tls=true", "fault=no_answer:nth=6")
    trial = trial_of(STORED, tmp_path, *tls, buckets=("load",))
    assert trial.verdict is Verdict.HANG, reason_of(trial)
    assert trial.hang is not None
    assert (trial.hang.hang_class, trial.hang.users_stuck) == (HangClass.UNANSWERED, 1)
    assert "PutObject" in reason_of(trial)
    assert trial.operations.ended > 20  # the others go on
    trial = trial_of(STORED, tmp_path, "tls=true", "fault=status:code=503;action=any", buckets=("load",))
    assert trial.verdict is not Verdict.HANG, reason_of(trial)
    assert "PutObject operation" in reason_of(trial)
