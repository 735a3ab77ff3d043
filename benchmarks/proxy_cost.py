"""What the proxy before the backend costs, and how it takes 500 connections at once.

    python benchmarks/proxy_cost.py [PAIRS] [BACKEND…]

Users with a boto3 client each, greenlets of one process, send, receive and delete, for a second without the proxy and for a second through it, in turns first:
operations a second, and their ratio with its interval. Seconds side by side, because what else the machine does changes from one to
the next. Then 500 plain sockets at once, each with one request, to a small server directly, through the proxy, and over TLS that
ends in it, and what a request takes on one kept connection.
"""

import json
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from repro.core.intervals import ratio_of_means
from repro.world.backends.make import make_backend
from repro.world.faults import Proxy
from repro.world.faults.tls import Authority

USERS, SLICE_S = 20, 1.0
LOAD = "--load"
AT_ONCE, IN_TURN = 500, 3000


def main(pairs: int, backends: list[str]) -> None:
    """Print the tables."""
    print(
        f"| backend, {USERS} users | without | through the proxy | ratio of {pairs} pairs (95 % interval) |\n|---|---|---|---|"
    )
    for name in backends:
        with tempfile.TemporaryDirectory() as folder:
            _throughput(Path(folder), pairs, name)
    print()
    with tempfile.TemporaryDirectory() as folder:
        _at_once(Path(folder))


def _throughput(folder: Path, pairs: int, name: str) -> None:
    backend = make_backend(name, folder=folder, mark="benchmark")
    backend.start()
    try:
        queue = backend.new_queue("benchmark", messages=10)
        with Proxy.start(backend.endpoint_url, faults=(), seed=0, folder=folder, mark="benchmark-proxy") as proxy:
            urls = {False: backend.endpoint_url, True: proxy.url}
            rates = _rates(urls, backend.cell_environ(), queue.name, pairs)
    finally:
        backend.stop()
    ratio, low, high = ratio_of_means(rates[True], rates[False])
    means = {proxied: sum(found) / len(found) for proxied, found in rates.items()}
    print(f"| {name} | {means[False]:.0f} | {means[True]:.0f} | {ratio:.2f} ({low:.2f} to {high:.2f}) |", flush=True)


def _rates(urls: Mapping[bool, str], environ: Mapping[str, str], queue: str, pairs: int) -> dict[bool, list[float]]:
    """Operations a second of each slice, without the proxy and through it, by users in their own process."""
    words = [sys.executable, __file__, LOAD, str(pairs), queue, urls[False], urls[True]]
    done = subprocess.run(words, env={**os.environ, **environ}, capture_output=True, text=True, check=True)
    direct, proxied = json.loads(done.stdout)
    return {False: direct, True: proxied}


def load(pairs: int, queue: str, *urls: str) -> None:
    """The users, greenlets of one process as Locust's are: print the slices' rates, a list for each URL."""
    import boto3
    import gevent
    from botocore.config import Config

    session = boto3.Session()
    config = Config(max_pool_connections=1)
    users = [[session.resource("sqs", endpoint_url=url, config=config).get_queue_by_name(QueueName=queue) for url in urls] for _ in range(USERS)]  # fmt: skip
    rates: tuple[list[float], list[float]] = [], []
    for pair in range(pairs + 1):
        for index in (0, 1) if pair % 2 else (1, 0):
            began = time.monotonic()
            greenlets = [gevent.spawn(_use, user[index], until=began + SLICE_S) for user in users]
            gevent.joinall(greenlets)
            rate = sum(greenlet.value for greenlet in greenlets) / (time.monotonic() - began)
            if pair:  # the first pair makes connections and fills caches
                rates[index].append(rate)
    print(json.dumps(rates))


def _use(queue: Any, *, until: float) -> int:
    count = 0
    while time.monotonic() < until:
        count += _round(queue)
    return count


def _round(queue: Any) -> int:
    queue.send_message(MessageBody="x")
    messages = queue.receive_messages(MaxNumberOfMessages=10)
    for message in messages:
        message.delete()
    return 2 + len(messages)


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
        f"| {AT_ONCE} connections at once, all held open | answered | seconds in all | slowest, s | ms a request, one kept |"
    )
    print("|---|---|---|---|---|")
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


if __name__ == "__main__" and LOAD in sys.argv[1:2]:
    from gevent import monkey

    monkey.patch_all()
    load(int(sys.argv[2]), *sys.argv[3:])
elif __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15, sys.argv[2:] or ["moto"])
