"""Backends for real: the embedded server, one that runs already, and real AWS with the embedded server in its place."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import psutil
import pytest
from botocore.config import Config

from repro.errors import BackendError, ExitCode, UsageError
from repro.world.backends.aws.account import open_account
from repro.world.backends.aws.backend import AwsBackend
from repro.world.backends.aws.leftovers import delete_leftover, find_leftovers
from repro.world.backends.capacity import measure_capacity
from repro.world.backends.endpoint import EndpointBackend
from repro.world.backends.make import make_backend
from repro.world.backends.protocol import NAMES
from repro.world.backends.servers import ministack
from repro.world.backends.servers.moto import MotoBackend
from repro.world.processes import door, marks

pytestmark = pytest.mark.timed

LIMIT_S = 20.0
PROBE_S = 2.0
TOKEN = "FwoGZXIvYXdzSECRETSESSIONTOKEN"


@contextmanager
def started(folder: Path, mark: str) -> Iterator[MotoBackend]:
    backend = make_backend("moto", folder=folder, mark=mark)
    assert isinstance(backend, MotoBackend)
    backend.start()
    try:
        yield backend
    finally:
        backend.stop()


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoBackend]:
    with started(tmp_path_factory.mktemp("moto"), "moto-shared") as backend:
        yield backend


def client(url: str, **variables: str):
    """The SQS client of a cell, as its variables make it."""
    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name=variables.get("AWS_REGION", "us-east-1"),
        aws_access_key_id=variables.get("AWS_ACCESS_KEY_ID", "x"),
        aws_secret_access_key=variables.get("AWS_SECRET_ACCESS_KEY", "x"),
        config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
    )


def attributes(url: str, queue_url: str) -> dict[str, str]:
    found = client(url).get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    return dict(found["Attributes"])


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that is no SQS; what it answers is the test's."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def saying(status: int, body: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


def test_the_embedded_server_is_ready_and_listens_on_loopback_alone(moto: MotoBackend) -> None:
    port = urlsplit(moto.endpoint_url).port
    assert moto.listening() == (f"127.0.0.1:{port}",)
    health = moto.probe(PROBE_S)
    assert (health.ok, health.reason) == (True, "")
    assert moto.is_alive()
    others = [
        one.address
        for addresses in psutil.net_if_addrs().values()
        for one in addresses
        if one.family is socket.AF_INET and not one.address.startswith("127.")
    ]
    for address in others:
        with pytest.raises(OSError), socket.create_connection((address, port), timeout=1):  # noqa: PT011  # any refusal
            pass


def test_a_queue_is_fresh_and_has_its_messages(moto: MotoBackend) -> None:
    queue = moto.new_queue("repro-messages", messages=23)
    assert attributes(moto.endpoint_url, queue.url)["ApproximateNumberOfMessages"] == "23"
    empty = moto.new_queue("repro-empty")
    assert attributes(moto.endpoint_url, empty.url)["ApproximateNumberOfMessages"] == "0"
    for name in ("repro-messages", "repro-empty"):
        moto.drop_queue(name)
        moto.drop_queue(name)
    moto.drop_queue("repro-never-made")
    assert "QueueUrls" not in client(moto.endpoint_url).list_queues(QueueNamePrefix="repro-")


def test_a_cell_finds_it_by_its_variables(moto: MotoBackend) -> None:
    found = moto.cell_environ()
    assert found["AWS_ENDPOINT_URL"] == found["AWS_ENDPOINT_URL_SQS"] == moto.endpoint_url
    queue = moto.new_queue("repro-cell")
    sqs = client(found["AWS_ENDPOINT_URL_SQS"], **found)
    assert sqs.get_queue_url(QueueName="repro-cell")["QueueUrl"] == queue.url
    moto.drop_queue("repro-cell")
    assert moto.secrets == ()


def test_what_reached_it_is_on_record(moto: MotoBackend) -> None:
    queue = moto.new_queue("repro-log")
    mark = moto.request_mark()
    before = time.monotonic()
    client(moto.endpoint_url).send_message(QueueUrl=queue.url, MessageBody="x")
    (request,) = moto.requests_since(mark)
    assert (request.action, request.queue, request.status) == ("SendMessage", "repro-log", 200)
    assert before < request.at < time.monotonic()
    assert request.seconds is not None
    moto.drop_queue("repro-log")


def test_what_it_carries_is_measured_and_leaves_no_queue(moto: MotoBackend) -> None:
    assert measure_capacity(moto, 0.2) > 20
    assert "QueueUrls" not in client(moto.endpoint_url).list_queues(QueueNamePrefix="repro-")


def test_settings_of_the_users_shell_do_not_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("MOTO_SERVICE", "s3")
    with started(tmp_path, "moto-shell") as backend:
        assert backend.probe(PROBE_S).ok


def test_a_killed_server_is_down_and_stopping_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "moto-killed") as backend:
        for process in marks.marked(f"{door._PROGRAM}/moto-killed"):
            os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + LIMIT_S
        while backend.is_alive() or marks.marked(f"{door._PROGRAM}/moto-killed"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        health = backend.probe(PROBE_S)
        while health.reason != "nothing listens there":  # its memory goes before its sockets do
            assert not health.ok
            assert time.monotonic() < deadline
            health = backend.probe(PROBE_S)
        with pytest.raises(BackendError, match=r"cannot make the queue q at .*: nothing listens there; check that"):
            backend.new_queue("q")
        with pytest.raises(BackendError, match=r"does not carry load|cannot make the queue"):
            measure_capacity(backend, 0.1)
        backend.drop_queue("q")
    assert marks.marked(f"{door._PROGRAM}/moto-killed") == []


def test_stopping_ends_the_process_and_frees_the_port(tmp_path: Path) -> None:
    with started(tmp_path, "moto-stopped") as backend:
        port = urlsplit(backend.endpoint_url).port
        backend.new_queue("left", messages=3)
    assert not backend.is_alive()
    assert marks.marked(f"{door._PROGRAM}/moto-stopped") == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    backend.stop()


def test_a_server_that_cannot_start_says_its_own_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.world.backends.servers.moto.sys.executable", "/bin/false")
    with pytest.raises(
        BackendError,
        match=r"the moto server did not start: it said nothing; start one yourself and use --backend endpoint",
    ):
        make_backend("moto", folder=tmp_path, mark="moto-broken").start()
    assert marks.marked(f"{door._PROGRAM}/moto-broken") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "mot"}, "unknown backend 'mot'; use moto, ministack, endpoint or aws"),
        ({"name": "endpoint"}, "--backend endpoint needs --endpoint-url URL"),
        ({"name": "aws"}, "--backend aws needs --region REGION, such as"),
        ({"name": "endpoint", "endpoint_url": "localhost:5000"}, "this is not a URL; give one such as http://127.0.0.1:5000"),
        ({"name": "endpoint", "endpoint_url": "http://x:port"}, "this is not a URL"),
        ({"name": "endpoint", "endpoint_url": "ftp://x"}, "this is not a URL"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(options: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        make_backend(folder=tmp_path, mark="m", **options)  # type: ignore[arg-type]  # its own options
    assert words in str(caught.value)


def test_an_endpoint_is_used_and_its_queues_are_deleted(moto: MotoBackend) -> None:
    backend = EndpointBackend(f"{moto.endpoint_url}/")
    backend.start()
    queue = backend.new_queue("repro-endpoint", messages=1)
    assert attributes(moto.endpoint_url, queue.url)["ApproximateNumberOfMessages"] == "1"
    backend.stop()
    assert "QueueUrls" not in client(moto.endpoint_url).list_queues(QueueNamePrefix="repro-endpoint")
    assert backend.is_alive()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (saying(200, "<html>hello</html>"), "it answers 200, but not as an SQS does: <html>hello</html>"),
        (saying(404, "{}"), "it answers 404, but not as an SQS does: {}"),
        (saying(503, ""), "it answers 503, but not as an SQS does"),
        (saying(200, "[1]"), "it answers 200, but not as an SQS does: [1]"),
        (saying(400, '{"__type": "com.amazonaws.sqs#InvalidAddress", "message": "no"}'), "InvalidAddress: no"),
        (lambda handler: handler.connection.close(), "spoke something other than HTTP"),
    ],
)
def test_what_is_no_sqs_is_one_sentence(answer: Callable[[BaseHTTPRequestHandler], None], words: str) -> None:
    with serving(answer) as url, pytest.raises(BackendError) as caught:
        EndpointBackend(url).start()
    assert str(caught.value).startswith(f"{url} does not answer as an SQS: ")
    assert words in str(caught.value)
    assert str(caught.value).endswith("start it, or check the URL")
    assert caught.value.exit_code is ExitCode.FAILED


def test_nothing_that_listens_is_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(BackendError, match=f"^{url} does not answer as an SQS: nothing listens there; start it"):
            EndpointBackend(url).start()


def test_silence_is_noticed_within_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        backend = EndpointBackend(f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        health = backend.probe(0.3)
        assert (health.ok, health.reason) == (False, "no answer within the limit")
        assert 0.25 < time.monotonic() - began < 2


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up ones in the environment, and no other anywhere."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMADEUP")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


@pytest.mark.usefixtures("credentials")
def test_in_a_real_account_queues_are_tagged_short_lived_and_deleted(moto: MotoBackend) -> None:
    backend = AwsBackend("eu-central-1", run="repro-20240315 x", endpoint_url=moto.endpoint_url)
    mark = moto.request_mark()
    backend.start()
    assert backend.probe(PROBE_S).ok
    queue = backend.new_queue("repro-cell-1", messages=12)
    own_requests = len(moto.requests_since(mark))
    tags = client(moto.endpoint_url, AWS_REGION="eu-central-1").list_queue_tags(QueueUrl=queue.url)["Tags"]
    assert tags == {"created-by": "repro", "repro-run": "20240315-x"}
    sqs = client(moto.endpoint_url, AWS_REGION="eu-central-1")
    found = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
    assert (found["MessageRetentionPeriod"], found["ApproximateNumberOfMessages"]) == ("3600", "12")
    assert own_requests == 1 + 1 + 1 + 2  # listed at the start and by the probe, one queue, two batches
    other = backend.new_queue("mine")
    assert other.name == "repro-20240315-x-mine"
    backend.drop_queue("repro-cell-1")
    backend.stop()
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="repro-")
    backend.stop()


@pytest.mark.usefixtures("credentials")
def test_credentials_go_to_the_cell_and_are_named_as_secrets(moto: MotoBackend) -> None:
    backend = AwsBackend("eu-central-1", run="r", endpoint_url=moto.endpoint_url)
    backend.start()
    found = backend.cell_environ()
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("AKIAMADEUP", "made-up-secret")
    assert (found["AWS_SESSION_TOKEN"], found["AWS_REGION"]) == (TOKEN, "eu-central-1")
    assert set(backend.secrets) == {"AKIAMADEUP", "made-up-secret", TOKEN}


@pytest.mark.usefixtures("credentials")
def test_a_good_answer_of_a_paid_service_is_given_again(moto: MotoBackend) -> None:
    backend = AwsBackend("eu-central-1", run="r", endpoint_url=moto.endpoint_url)
    mark = moto.request_mark()
    assert all(backend.probe(PROBE_S).ok for _ in range(20))
    assert len(moto.requests_since(mark)) == 1


@pytest.mark.usefixtures("credentials")
def test_what_was_left_behind_is_found_by_its_tags_and_deleted(moto: MotoBackend) -> None:
    region = "eu-west-1"
    sqs = client(moto.endpoint_url, AWS_REGION=region)
    for run in ("one", "two"):
        AwsBackend(region, run=run, endpoint_url=moto.endpoint_url).new_queue("left")
    sqs.create_queue(QueueName="repro-by-somebody-else")
    sqs.create_queue(QueueName="theirs", tags={"created-by": "repro"})
    account = open_account(region, endpoint_url=moto.endpoint_url)
    assert sorted((one.name, one.run) for one in find_leftovers(account)) == [
        ("repro-one-left", "one"),
        ("repro-two-left", "two"),
    ]
    (one,) = find_leftovers(account, run="one")
    assert 0 <= one.age_s < 60
    delete_leftover(account, one)
    delete_leftover(account, one)
    assert [left.run for left in find_leftovers(account)] == ["two"]
    urls = sqs.list_queues()["QueueUrls"]
    assert len(urls) == 3
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def refusing(code: str, words: str = "no") -> Callable[[BaseHTTPRequestHandler], None]:
    return saying(400, json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": words}))


@pytest.mark.parametrize(
    ("code", "move"),
    [
        ("InvalidClientTokenId", "check them with `aws sts get-caller-identity`"),
        ("ExpiredToken", "run `aws sso login`, or get new ones"),
        ("AccessDenied", "these credentials may not do that (AccessDenied); allow sqs:CreateQueue"),
        ("RequestThrottled", "AWS throttles this account (RequestThrottled); wait a minute, or use fewer users"),
        ("SomethingElse", "SomethingElse: "),
    ],
)
@pytest.mark.usefixtures("credentials")
def test_a_refusal_of_aws_is_one_sentence_without_a_secret(code: str, move: str) -> None:
    with serving(refusing(code, f"the request was {TOKEN} made-up-secret\nAKIAMADEUP")) as url:
        backend = AwsBackend("eu-central-1", run="r", endpoint_url=url)
        with pytest.raises(BackendError) as caught:
            backend.start()
        health = backend.probe(PROBE_S)
    for said in (str(caught.value), health.reason):
        assert said.startswith("cannot list queues in eu-central-1: ")
        assert move in said
        assert "\n" not in said
        assert not [secret for secret in (TOKEN, "made-up-secret", "AKIAMADEUP") if secret in said]


@pytest.mark.usefixtures("credentials")
def test_queues_that_cannot_be_deleted_are_said_with_the_command_that_removes_them(tmp_path: Path) -> None:
    with started(tmp_path, "moto-gone") as moto:
        backend = AwsBackend("eu-central-1", run="r", endpoint_url=moto.endpoint_url)
        backend.new_queue("left")
        with serving(refusing("AccessDenied")) as url:
            backend._client.meta.events.register("before-sign.sqs", lambda request, **_: setattr(request, "url", url))
            with pytest.raises(
                BackendError, match=r"1 queue was left in eu-central-1 .*`repro cleanup --region eu-central-1`"
            ):
                backend.stop()


def test_without_credentials_the_next_step_is_said(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert credentials is None
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(BackendError, match="no AWS credentials are found; run `aws sso login` or `aws configure`"):
        AwsBackend("eu-central-1", run="r", endpoint_url="http://127.0.0.1:9").start()


@pytest.mark.usefixtures("credentials")
def test_a_region_or_profile_that_is_not_there_is_a_slip_of_the_pen() -> None:
    with pytest.raises(
        UsageError, match=r"--region eu-centrl-1: this boto3 knows no SQS .*; choose one such as eu-central-1"
    ):
        open_account("eu-centrl-1")
    with pytest.raises(UsageError, match=r"nobody.*; choose one of `aws configure list-profiles` with --profile"):
        open_account("eu-central-1", profile="nobody")


def test_ministack_tries_another_port_only_where_somebody_else_has_taken_this_one(tmp_path: Path, monkeypatch) -> None:
    tried: list[int] = []

    def fail(self: ministack.MiniStackBackend, _environment: object, port: int) -> None:
        tried.append(port)
        self.stop()
        raise BackendError("the ministack server does not start: whatever it says of a port already in use")

    monkeypatch.setattr(ministack.MiniStackBackend, "_start_once", fail)
    monkeypatch.setattr(ministack.EnvironmentCache, "ensure", lambda _self, _spec: None)
    backend = ministack.MiniStackBackend(folder=tmp_path, mark="ministack")
    with pytest.raises(BackendError, match="whatever it says"):
        backend.start()
    assert len(tried) == 1
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(ministack, "_free_port", lambda: other.getsockname()[1])
        with pytest.raises(BackendError, match="finds no port"):
            backend.start()
    assert len(tried) == 1 + ministack.ATTEMPTS


def test_each_backend_of_the_catalogue_can_be_made(tmp_path: Path) -> None:
    for name in NAMES:
        made = make_backend(name, folder=tmp_path, mark="m", endpoint_url="http://127.0.0.1:1", region="eu-central-1")
        assert made.name == name
