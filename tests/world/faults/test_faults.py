"""Each fault seen on the wire by a plain socket client, through the real proxy to a real upstream."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from repro.core.experiment.factors.faults import parse_fault
from repro.world.faults import Proxy
from repro.world.faults.tls import Authority

pytestmark = pytest.mark.timed

LIMIT_S = 20.0
SHORT_S = 0.6
BODY = b"0123456789" * 20


class Answering(socketserver.StreamRequestHandler):
    """Answers every request of a kept connection with the same body."""

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)


class Upstream(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def read_log(path: Path) -> list[dict[str, Any]]:
    """The events of a proxy's log, in order; each has ``at`` (monotonic seconds), ``connection`` and ``event``."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.endswith("}")]


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with Upstream(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Client:
    """A plain socket to the proxy."""

    def __init__(self, url: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=LIMIT_S)

    def ask(self, action: str = "ReceiveMessage") -> None:
        self.socket.sendall(
            f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{action}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        )

    def answer(self, *, limit_s: float = LIMIT_S) -> bytes:
        """All that comes until the body is whole, the connection ends or the time is over."""
        self.socket.settimeout(limit_s)
        data = b""
        try:
            while BODY not in data and (part := self.socket.recv(65536)):
                data += part
        except TimeoutError:
            pass
        return data

    def is_open(self) -> bool:
        self.socket.settimeout(0.2)
        try:
            return self.socket.recv(1) != b""
        except TimeoutError:
            return True


def asked(url: str, *, limit_s: float = LIMIT_S) -> bytes:
    client = Client(url)
    client.ask()
    return client.answer(limit_s=limit_s)


def proxy(upstream: str, fault: str, folder: Path, **kwargs: object):  # type: ignore[no-untyped-def]
    return Proxy.start(upstream, faults=parse_fault(fault), seed=7, folder=folder, mark="test-proxy", **kwargs)  # type: ignore[arg-type]


def test_without_a_fault_everything_passes_and_is_logged(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "", tmp_path) as stands:
        client = Client(stands.url)
        for _ in range(2):  # the connection is kept
            client.ask()
            assert client.answer().endswith(BODY)
        log = stands.log_path
    events = [(event["event"], event.get("action")) for event in read_log(log)]
    assert events[:4] == [
        ("opened", None),
        ("request", "ReceiveMessage"),
        ("answer", None),
        ("request", "ReceiveMessage"),
    ]


def test_latency_delays_the_answer_but_not_much_more(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "latency:600", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert client.answer(limit_s=0.2) == b""
        assert client.answer().endswith(BODY)


def test_a_black_hole_says_nothing_and_stays_open(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "timeout:0", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert client.answer(limit_s=SHORT_S) == b""
        assert client.is_open()


def test_a_time_out_closes_without_an_answer(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "timeout:50", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert client.answer() == b""
        assert not client.is_open()


def test_reset_peer_resets(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "reset_peer:0", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        with pytest.raises(ConnectionResetError):
            client.answer()


def test_limit_data_cuts_the_answer(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "limit_data:50", tmp_path) as stands:
        assert len(asked(stands.url)) == 50


def test_slicer_and_bandwidth_give_the_whole_answer_in_pieces(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "slicer:average_size=10;delay=20000", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert 0 < len(client.socket.recv(65536)) < len(BODY)
        assert client.answer().endswith(BODY[-10:])


def test_bandwidth_lets_bytes_through_slowly(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "bandwidth:0.2", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert 0 < len(client.socket.recv(65536)) < len(BODY)
        assert client.answer().endswith(BODY[-10:])


@pytest.mark.parametrize(("fault", "most"), [("stop_after_headers:nth=1", 0), ("half_body:nth=1", len(BODY) // 2)])
def test_an_answer_that_stops_leaves_the_connection_open(upstream: str, tmp_path: Path, fault: str, most: int) -> None:
    with proxy(upstream, fault, tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        head, _, body = client.answer(limit_s=SHORT_S).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) == most
        assert client.is_open()


def test_the_nth_request_alone_gets_no_answer(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "no_answer:nth=2", tmp_path) as stands:
        assert [len(asked(stands.url, limit_s=SHORT_S)) > 0 for _ in range(3)] == [True, False, True]


def test_the_same_seed_hits_the_same_requests(upstream: str, tmp_path: Path) -> None:
    found = []
    for turn in ("a", "b"):
        folder = tmp_path / turn
        folder.mkdir()
        with proxy(upstream, "no_answer:share=0.4", folder) as stands:
            found.append([len(asked(stands.url, limit_s=0.3)) > 0 for _ in range(8)])
    assert found[0] == found[1]
    assert 0 < sum(found[0]) < 8


def test_an_idle_connection_goes_silent_as_behind_a_nat(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "half_open:0.5", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert client.answer().endswith(BODY)
        time.sleep(0.7)
        client.ask()
        assert client.answer(limit_s=SHORT_S) == b""
        assert client.is_open()
        assert asked(stands.url).endswith(BODY)  # a new connection works


def test_slow_close_keeps_the_end_back(tmp_path: Path) -> None:
    class Closing(Answering):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Upstream(("127.0.0.1", 0), Closing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with proxy(f"http://127.0.0.1:{server.server_address[1]}", "slow_close:700", tmp_path) as stands:
            client = Client(stands.url)
            client.ask()
            assert client.answer(limit_s=0.3).endswith(b"ok")
            assert client.is_open()
        server.shutdown()


@pytest.mark.parametrize(
    ("fault", "code"),
    [("status:code=503;action=any", "ServiceUnavailable"), ("throttle:action=any", "ThrottlingException")],
)
def test_error_answers_are_what_botocore_takes_for_sqs(upstream: str, tmp_path: Path, fault: str, code: str) -> None:
    with proxy(upstream, fault, tmp_path) as stands:
        config = Config(retries={"total_max_attempts": 1})
        session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
        client = session.client("sqs", endpoint_url=stands.url, config=config)
        with pytest.raises(ClientError) as caught:
            client.receive_message(QueueUrl=f"{stands.url}/1/q")
        assert caught.value.response["Error"]["Code"] == code


def test_a_status_hits_its_action_only(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "status:500", tmp_path) as stands:
        client = Client(stands.url)
        client.ask("SendMessage")
        assert client.answer().endswith(BODY)
        client.ask("ReceiveMessage")
        assert client.answer(limit_s=1.0).startswith(b"HTTP/1.1 500")


def test_a_window_counts_from_the_beginning_of_the_load(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "timeout:0@0-1.5", tmp_path) as stands:
        assert asked(stands.url).endswith(BODY)
        stands.mark_load_started()
        assert asked(stands.url, limit_s=SHORT_S) == b""
        time.sleep(1.2)
        assert asked(stands.url).endswith(BODY)


def test_500_tls_connections_at_once_are_all_served(upstream: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=str(authority.ca_file))

    def shake(raw: socket.socket) -> bool:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            return secure.recv(12) == b"HTTP/1.1 200"

    with proxy(upstream, "", tmp_path, tls=authority) as stands, ThreadPoolExecutor(50) as pool:
        port = urlsplit(stands.url).port or 0
        waiting = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(500)]
        assert sum(pool.map(shake, waiting)) == 500


def test_who_does_not_know_the_authority_of_the_run_does_not_trust_it(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "", tmp_path, tls=Authority(tmp_path)) as stands:
        raw = socket.create_connection(("127.0.0.1", urlsplit(stands.url).port or 0), timeout=LIMIT_S)
        with pytest.raises(ssl.SSLCertVerificationError), raw:
            ssl.create_default_context().wrap_socket(raw, server_hostname="127.0.0.1")


def test_jitter_spreads_the_delays(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "latency:latency=250;jitter=250", tmp_path) as stands:
        for _ in range(6):
            assert asked(stands.url).endswith(BODY)
        log = stands.log_path
    events = read_log(log)
    began = {event["ordinal"]: event["at"] for event in events if event["event"] == "request"}
    delays = [event["at"] - began[event["ordinal"]] for event in events if event["event"] == "answer"]
    assert len(delays) == 6
    assert max(delays) - min(delays) > 0.1


def test_faults_combine(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "latency:500+reset_peer:0", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert client.answer(limit_s=0.2) == b""
        with pytest.raises(ConnectionResetError):
            client.answer()
    (tmp_path / "next").mkdir()
    with proxy(upstream, "half_body:nth=1+slicer:average_size=20;delay=100", tmp_path / "next") as stands:
        assert asked(stands.url, limit_s=SHORT_S).partition(b"\r\n\r\n")[2] == BODY[: len(BODY) // 2]


def test_a_share_of_one_action_is_throttled_and_no_other(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "throttle:share=0.5", tmp_path) as stands:
        client = Client(stands.url)
        answers = []
        for action in ["ReceiveMessage"] * 16 + ["SendMessage"] * 8:
            client.ask(action)
            head = client.socket.recv(65536)
            while BODY not in head and b"ThrottlingException" not in head:
                head += client.socket.recv(65536)
            answers.append(head.startswith(b"HTTP/1.1 400"))
    assert 0 < sum(answers[:16]) < 16
    assert not any(answers[16:])


class LateHttp10(Answering):
    """Keeps no connection, as moto does, and takes its time."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        time.sleep(0.6)
        self.wfile.write(b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)


@pytest.fixture
def late_upstream() -> Iterator[str]:
    with Upstream(("127.0.0.1", 0), LateHttp10) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_long_poll_is_idle_too(late_upstream: str, tmp_path: Path) -> None:
    with proxy(late_upstream, "half_open:0.3", tmp_path) as stands:
        client = Client(stands.url)
        client.ask()
        assert client.answer(limit_s=1.5) == b""
        assert client.is_open()


def test_half_open_keeps_connections_that_the_backend_does_not(late_upstream: str, tmp_path: Path) -> None:
    with proxy(late_upstream, "half_open:5", tmp_path) as stands:
        client = Client(stands.url)
        for _ in range(2):
            client.ask()
            answer = client.answer()
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"close" not in answer
            assert answer.endswith(BODY)


def test_the_log_tells_what_was_done_to_whom(upstream: str, tmp_path: Path) -> None:
    with proxy(upstream, "no_answer:nth=2", tmp_path) as stands:
        for _ in range(2):
            asked(stands.url, limit_s=SHORT_S)
        log = stands.log_path
    events = read_log(log)
    assert [event["event"] for event in events if event["connection"] == 1] == [
        "opened",
        "request",
        "backend",
        "answer",
        "closed",
    ]
    second = [event for event in events if event["connection"] == 2]
    assert [event["event"] for event in second] == ["opened", "request", "fault", "backend", "silenced", "closed"]
    assert (second[1]["action"], second[1]["ordinal"], second[2]["fault"]) == ("ReceiveMessage", 2, "no_answer")
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_a_folder_that_is_given_relatively_is_found_by_the_proxy(upstream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("deep").mkdir()
    with proxy(upstream, "", Path("deep")) as stands:
        assert asked(stands.url).endswith(BODY)
    assert (tmp_path / "deep" / "proxy.jsonl").exists()
