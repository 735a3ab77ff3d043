"""What the proxy before the backend costs, and how it takes 500 connections at once.

    python benchmarks/proxy_cost.py [PAIRS] [BACKEND…]

Pairs of trials of the report's scenario in this program's own environment, without a proxy and through one whose fault never
acts, one after the other and in turns first: operations a second, and the ratio of each pair. Then what one request of a plain socket takes longer, and 500
plain sockets at once, each with one request, to a small server directly, through the proxy, and over TLS that ends in it.
"""

import socket
import socketserver
import ssl
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from repro.model import Cell, Trial, Verdict
from repro.orchestration.planning import Request, prepare
from repro.orchestration.session import Options, Session
from repro.world.faults import Proxy
from repro.world.tls import Authority

NEVER = "latency:1@90000-90001"
USERS, SECONDS = 50, 6
AT_ONCE, IN_TURN = 500, 3000


def main(pairs: int, backends: list[str]) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        for backend in backends:
            _throughput(Path(folder), pairs, backend)
        _at_once(Path(folder))


def _throughput(folder: Path, pairs: int, backend: str) -> None:
    overrides = ("client=per-user", "launch=cli", "import_order=locust-first", "connect_timeout=60", "read_timeout=60", f"users={USERS}", f"seconds={SECONDS}", f"fault=,{NEVER}")  # fmt: skip
    prepared = prepare(Request(overrides=overrides, python=Path(sys.executable), backends=[backend]))
    cells = {bool(cell.settings["fault"]): cell for cell in prepared.plan.cells}
    options = Options(locustfile=prepared.scenario.locustfile, is_untouched=True)
    print(f"{USERS} users, {SECONDS} s, a client per user, {backend}: operations a second\n")
    print("| pair | without | through the proxy | ratio |\n|---|---|---|---|")
    ratios = []
    with Session(prepared.plan, options) as session:
        for pair in range(1, pairs + 1):
            order = (False, True) if pair % 2 else (True, False)
            rates = {
                proxied: _rate(session, cells[proxied], folder / f"{backend}-{pair}-{proxied}") for proxied in order
            }
            ratios.append(rates[True] / rates[False])
            print(f"| {pair} | {rates[False]:.0f} | {rates[True]:.0f} | {ratios[-1]:.2f} |", flush=True)
    print(f"\nratio: median {statistics.median(ratios):.2f}, least {min(ratios):.2f}\n")


def _rate(session: Session, cell: Cell, folder: Path) -> float:
    trial: Trial = session.trial(cell, 1, folder)
    if trial.verdict is not Verdict.CLEAN:
        sys.exit(f"{cell.label}: {trial.verdict}: {trial.reason}")
    return sum(moment.ended for moment in trial.timeline if 1 <= moment.second < SECONDS) / (SECONDS - 1)


class _Answering(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class _Upstream(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def _at_once(folder: Path) -> None:
    authority = Authority(folder)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    print(
        f"| {AT_ONCE} connections at once, all held open | answered | seconds in all | slowest answer, s |\n|---|---|---|---|"
    )
    with _Upstream(("127.0.0.1", 0), _Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        _row("directly", url, None)
        for name, tls in (("through the proxy", None), ("over TLS that ends in the proxy", authority)):
            with Proxy.start(url, faults=(), seed=0, folder=folder, mark="benchmark", tls=tls) as proxy:
                _row(name, proxy.url, trusting if tls else None)
        server.shutdown()


def _row(name: str, url: str, context: ssl.SSLContext | None) -> None:
    port = urlsplit(url).port or 0
    barrier = threading.Barrier(AT_ONCE)
    held: list[socket.socket] = []

    def ask(_: int) -> float | None:
        barrier.wait()
        began = time.monotonic()
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        secure = context.wrap_socket(connection, server_hostname="127.0.0.1") if context else connection
        held.append(secure)
        secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return time.monotonic() - began if secure.recv(64).startswith(b"HTTP/1.1 200") else None

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waits = [wait for wait in pool.map(ask, range(AT_ONCE)) if wait is not None]
    elapsed = time.monotonic() - began
    for one in held:
        one.close()
    in_turn = _in_turn(port, context)
    print(
        f"| {name} | {len(waits)} | {elapsed:.2f} | {max(waits, default=0.0):.2f} | {in_turn * 1000:.2f} |", flush=True
    )


def _in_turn(port: int, context: ssl.SSLContext | None) -> float:
    """Seconds that a request takes on one kept connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = context.wrap_socket(plain, server_hostname="127.0.0.1") if context else plain
        began = time.monotonic()
        for _ in range(IN_TURN):
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            if not connection.recv(64).endswith(b"ok"):
                sys.exit("an answer came in pieces")
        return (time.monotonic() - began) / IN_TURN


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2:] or ["moto"])
