"""Every trial's own account: all services, nothing of another trial in it, and what a load expects to be there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from repro.cli.options.provisions import read_table
from repro.errors import UsageError
from repro.model import Provision
from repro.world.backends.protocol import Backend
from repro.world.backends.provisions import provide
from repro.world.backends.servers import served
from repro.world.backends.servers.moto import MotoBackend
from repro.world.backends.servers.served import ServedBackend, check_served

pytestmark = pytest.mark.timed

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoBackend]:
    backend = MotoBackend(folder=tmp_path_factory.mktemp("moto"), mark="moto-accounts")
    backend.start()
    try:
        yield backend
    finally:
        backend.stop()


def client(service: str, backend: Backend) -> Any:
    return boto3.client(
        service,
        endpoint_url=backend.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="written-into-the-file",
        aws_secret_access_key="likewise",
    )


def test_an_account_serves_every_service_and_has_nothing_of_another_whatever_key_the_client_uses(
    moto: MotoBackend, tmp_path: Path
) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with moto.account(folder, mark="m") as one:
            s3, dynamodb, kinesis = (client(name, one) for name in ("s3", "dynamodb", "kinesis"))
            assert s3.list_buckets()["Buckets"] == dynamodb.list_tables()["TableNames"] == []
            s3.create_bucket(Bucket="load")
            kinesis.create_stream(StreamName="load", ShardCount=1)
            client("sns", one).create_topic(Name="load")
            client("sqs", one).create_queue(QueueName="load")
            assert client("sts", one).get_caller_identity()["Account"]
            assert client("lambda", one).list_functions()["Functions"] == []
            assert {"s3", "dynamodb", "kinesis", "sns", "sqs", "sts"} <= {row.service for row in one.requests_since(0)}
            assert one.requests() == len(one.requests_since(0)) == 8


def test_a_service_that_moto_does_not_know_is_named_at_once(moto: MotoBackend) -> None:
    with pytest.raises(ClientError, match="moto does not know the service outposts; use --backend ministack"):
        client("outposts", moto).list_sites()


def test_what_a_load_expects_is_made_and_is_no_request_of_the_load(moto: MotoBackend, tmp_path: Path) -> None:
    wanted = Provision(
        queues=("my-queue", "orders.fifo"),
        buckets=("load",),
        tables=(read_table("Log:Id,At/N"),),
        before=f"{sys.executable} -c \"import os; open('{tmp_path}/before', 'w').write(os.environ['AWS_ENDPOINT_URL'])\"",
    )
    with moto.account(tmp_path, mark="m") as one:
        provide(wanted, one, queue="q")
        provide(wanted, one, queue="q")  # what is there is left as it is
        assert one.requests() == 0
        assert (tmp_path / "before").read_text() == one.endpoint_url
        assert len(client("sqs", one).list_queues()["QueueUrls"]) == 2
        assert [bucket["Name"] for bucket in client("s3", one).list_buckets()["Buckets"]] == ["load"]
        keys = client("dynamodb", one).describe_table(TableName="Log")["Table"]["KeySchema"]
        assert [(key["AttributeName"], key["KeyType"]) for key in keys] == [("Id", "HASH"), ("At", "RANGE")]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            {"before": "echo no such table >&2; exit 3"},
            r"--before ended with exit code 3: no such table; run it by hand",
        ),
        ({"buckets": ("A",)}, r"--bucket A: .*check the name"),
        ({"queues": ("a b",)}, r"--queue a b: it cannot be made: .*check the name"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_sentence(wanted: dict[str, Any], words: str, moto: MotoBackend) -> None:
    with pytest.raises(UsageError, match=words):
        provide(Provision(**wanted), moto, queue="q")


def test_a_server_of_ones_own_stands_for_a_trial_and_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    command = f"exec {sys.executable} {tmp_path}/server.py {{port}}"
    with ServedBackend(command, "http://127.0.0.1:{port}", mark="served").account(tmp_path, mark="served-1") as one:
        assert one.probe(5.0).ok
        assert one.cell_environ()["AWS_ENDPOINT_URL"] == one.endpoint_url
    assert not one.is_alive()
    assert not one.probe(1.0).ok


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sleep 60", r"--serve: the server did not answer within 1 s at http://127.0.0.1:\d+: .*check the command"),
        (
            "echo no port >&2; exit 1",
            r"--serve: the server has ended at .*: no port; check the command and --serve-url",
        ),
    ],
)
def test_a_server_that_never_answers_is_said_with_its_last_words(
    command: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "START_LIMIT_S", 1.0)
    backend = ServedBackend(command, "http://127.0.0.1:{port}", mark="served")
    with pytest.raises(UsageError, match=words), backend.account(tmp_path, mark="served-never"):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("orders", "--table orders: write NAME:KEY"),
        ("orders:", "--table orders:: write NAME:KEY"),
        (":id", "--table :id: write NAME:KEY"),
        ("orders:id/X", "a key's type cannot be 'X'; choose S, N or B"),
    ],
)
def test_a_table_without_a_key_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_table(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("command", "url", "words"),
    [
        ("x", None, "--serve needs --serve-url URL"),
        (None, "http://x", "--serve-url goes with --serve COMMAND"),
        ("x", "localhost", "this is not a URL"),
    ],
)
def test_a_server_needs_its_address(command: str | None, url: str | None, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_served(command, url)
    assert words in str(caught.value)
