"""A moto server on loopback and a free port, in a process of its own: ``moto_server.py READY_FILE LOG_FILE [1.0|1.1]``.

Werkzeug's threaded server as ``moto_server`` runs it, with a longer queue of connections waiting to be accepted (200
users connect at once) and a request log (see ``request_log.py`` beside it).
"""

import io
import itertools
import json
import os
import re
import sys
import time
from pathlib import Path

BACKLOG = 1024
MOST_LOG_BYTES = 64 * 1024 * 1024
"""The log is begun anew at this size: a run of hours must not fill the disk."""

_TARGET = re.compile(rb'"Queue(?:Name|Url)":\s*"(?:[^"]*/)?([^"/]*)"')
_QUERY_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_QUERY_QUEUE = re.compile(rb"(?:^|&)Queue(?:Name|Url)=(?:[^&]*%2F)?([^&]*)")


class RequestLog:
    """Appends lines with one system call each: no buffer that a kill loses, no lock that threads wait for."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._numbers = itertools.count(1)

    def arrived(self, action: str, queue: str) -> int:
        """Note a request; its number is for ``answered``."""
        number = next(self._numbers)
        self._write({"id": number, "at": time.monotonic(), "action": action, "queue": queue})
        return number

    def answered(self, number: int, *, status: int, seconds: float) -> None:
        """Note that its answer is ready."""
        self._write({"id": number, "status": status, "seconds": round(seconds, 6)})
        if number % 1000 == 0 and os.fstat(self._descriptor).st_size > MOST_LOG_BYTES:
            os.ftruncate(self._descriptor, 0)

    def _write(self, entry: dict[str, object]) -> None:
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")


def describe(target: str, path: str, body: bytes) -> tuple[str, str]:
    """Action and queue of a request, in AWS's JSON protocol or the query protocol that boto3 spoke until 2023."""
    if target:
        found = _TARGET.search(body)
        return target.rpartition(".")[2], found[1].decode("utf-8", "replace") if found else ""
    action, found = _QUERY_ACTION.search(body), _QUERY_QUEUE.search(body)
    queue = found[1].decode("utf-8", "replace") if found else path.rpartition("/")[2]
    return action[1].decode() if action else "", queue


def main(ready: Path, log_path: Path, http: str) -> None:
    """Serve until killed; the port is in the ready file once the server listens."""
    from moto.server import create_backend_app
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

    log = RequestLog(log_path)

    class Handler(WSGIRequestHandler):  # type: ignore[misc]  # werkzeug is not followed
        protocol_version = f"HTTP/{http}"
        disable_nagle_algorithm = True  # else a kept connection waits 40 ms between an answer's headers and its body

        def log(self, *_: object, **__: object) -> None:
            """Nothing: the log is ours."""

    class Server(ThreadedWSGIServer):  # type: ignore[misc]  # likewise
        request_queue_size = BACKLOG
        daemon_threads = True

    # Without moto's dispatcher, which looks its folder of services through for every request: 2.4 times as fast, and a
    # client that waits for a slow emulator shows fewer hangs than one that is kept busy.
    application = create_backend_app("sqs")

    def logged(environ, start_response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # WSGI
        began = time.monotonic()
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        action, queue = describe(environ.get("HTTP_X_AMZ_TARGET", ""), environ.get("PATH_INFO", ""), body)
        number = log.arrived(action, queue)
        status = ["500"]

        def start(text, headers, exc_info=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            status[0] = text
            return start_response(text, headers, exc_info)

        answer = application(environ, start)
        log.answered(number, status=int(status[0][:3]), seconds=time.monotonic() - began)
        return answer

    server = Server("127.0.0.1", 0, logged, handler=Handler)
    partial = ready.with_suffix(".partial")
    partial.write_text(str(server.server_port))
    partial.replace(ready)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *(sys.argv[3:] or ["1.0"]))
