"""Backends and faults that cannot be used, as a shell meets them: one sentence, the next step, nothing left behind."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from repro.errors import BackendError
from repro.world.backends.make import make_backend
from repro.world.backends.servers import ministack
from repro.world.backends.servers.ministack import MiniStackBackend
from repro.world.faults.tls import Authority

PROBE_S = 5.0


@pytest.fixture
def run(typed, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """``repro run`` of a planted truth with these words: its exit code and the last line that it said."""

    def answer(*words: str) -> tuple[int, str]:
        temporary = tmp_path / "tmp"
        temporary.mkdir(exist_ok=True)
        words = ("run", "known/clean", "--python", sys.executable, *words)
        done = typed(*words, folder=tmp_path, TMPDIR=str(temporary))
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert list(temporary.iterdir()) == []
        return done.returncode, done.stderr.strip().splitlines()[-1]

    return answer


class NoSqs(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """A server of plain HTTP that is no SQS."""
    with ThreadingHTTPServer(("127.0.0.1", 0), NoSqs) as one:
        one.daemon_threads = True
        threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
        yield one
        one.shutdown()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("latensy:500", "unknown fault 'latensy'; did you mean latency?"),
        ("timout:0", "unknown fault 'timout'; did you mean timeout?"),
        ("nonsense", "unknown fault 'nonsense'; choose latency, bandwidth, timeout"),
        ("latency:speed=3", "the fault latency has no parameter 'speed'; it has latency, jitter"),
        ("no_answer:share=7", "no_answer: share=7 is out of range; a share lies between 0 and 1"),
        ("timeout:0@9-2", "'timeout:0@9-2': a window is written @FROM-TO in seconds of the load"),
    ],
)
def test_a_fault_that_is_none(fault: str, said: str, run) -> None:
    code, last = run("--set", f"fault={fault}")
    assert code == 2
    assert last.startswith("Error: ")
    assert said in last


def test_tls_to_a_server_that_speaks_none(server: ThreadingHTTPServer, run) -> None:
    url = f"https://127.0.0.1:{server.server_address[1]}"
    code, last = run("--backend", "endpoint", "--endpoint-url", url)
    assert code == 4
    assert last.startswith(f"Error: {url} does not answer as an SQS: it does not speak TLS (")
    assert "is it http://?" in last


def test_no_tls_to_a_server_that_wants_it_and_a_certificate_that_nobody_knows(
    server: ThreadingHTTPServer, tmp_path: Path, run
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Authority(tmp_path).server_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    code, last = run("--backend", "endpoint", "--endpoint-url", f"http://127.0.0.1:{port}")
    assert (code, "does it want https://?" in last) == (4, True), last
    code, last = run("--backend", "endpoint", "--endpoint-url", f"https://127.0.0.1:{port}")
    assert (code, "its certificate is not trusted" in last, "AWS_CA_BUNDLE names" in last) == (4, True, True), last


def test_what_answers_and_is_no_sqs(server: ThreadingHTTPServer, run) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    code, last = run("--backend", "endpoint", "--endpoint-url", url)
    assert code == 4
    assert last.startswith(f"Error: {url} does not answer as an SQS: it answers 404, but not as an SQS does")
    assert last.endswith("start it, or check the URL")


def test_ministack_serves_sqs_on_loopback_alone_and_goes(tmp_path: Path) -> None:
    backend = make_backend("ministack", folder=tmp_path, mark="test-ministack")
    assert isinstance(backend, MiniStackBackend)
    backend.start()
    try:
        assert [address.rpartition(":")[0] for address in backend.listening()] == ["127.0.0.1"]
        assert backend.probe(PROBE_S).ok
        backend.new_queue("repro-one", messages=3)
        backend.drop_queue("repro-one")
    finally:
        backend.stop()
    assert not backend.is_alive()
    assert not backend.probe(PROBE_S).ok


def test_a_port_in_use_is_passed_over_and_said_when_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free, offered = ministack._free_port, iter([port])
        monkeypatch.setattr(ministack, "_free_port", lambda: next(offered, None) or free())
        backend = make_backend("ministack", folder=tmp_path, mark="test-ministack-port")
        backend.start()
        assert backend.endpoint_url != f"http://127.0.0.1:{port}"
        backend.stop()
        monkeypatch.setattr(ministack, "_free_port", lambda: port)
        monkeypatch.setattr(ministack, "ATTEMPTS", 1)
        with pytest.raises(BackendError, match=rf"^MiniStack finds no port: 1 .*:{port}\); run it again, or"):
            backend.start()
        assert not backend.is_alive()
