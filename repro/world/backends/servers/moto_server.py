"""Every service that moto knows, on loopback: ``moto_server.py FOLDER [1.0|1.1]``, which listens itself nowhere.

Lines on standard input ask for accounts. Each account is a forked process with its own memory, port and log. So no
trial sees the buckets of another one, whose names moto shares between its own accounts.

    {"open": {"ready": FILE, "log": FILE}}    READY is written once it listens: its port and its process
    {"close": PROCESS}

A fork is quick where a start is not: moto takes seconds to import. What a trial's client asked for is loaded here
before the next account is forked. Requests are served by Werkzeug's threaded server, as ``moto_server`` does it. Its
accept queue is longer, since 200 users connect at once, and it keeps a request log (see ``request_log.py`` beside it).
"""

import io
import itertools
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

BACKLOG = 1024
MOST_LOG_BYTES = 64 * 1024 * 1024
"""The log is begun anew at this size: a run of hours must not fill the disk."""

OWN_HEADER = "HTTP_X_REPRO_OWN"
"""What this program asks for itself does not belong to the load: it is not logged."""

USUAL = ("sqs", "us-east-1")
"""The service of a request that is not signed and names an action, as ``curl`` sends it."""

_INSTEAD = "; use --backend ministack, or your own server with --serve"

_TARGET = re.compile(rb'"Queue(?:Name|Url)":\s*"(?:[^"]*/)?([^"/]*)"')
_QUERY_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_QUERY_QUEUE = re.compile(rb"(?:^|&)Queue(?:Name|Url)=(?:[^&]*%2F)?([^&]*)")


class RequestLog:
    """Appends lines with one system call each: no buffer that a kill loses, no lock that threads wait for."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._numbers = itertools.count(1)

    def arrived(self, service: str, action: str, queue: str) -> int:
        """Note a request; its number is for ``answered``."""
        number = next(self._numbers)
        self._write({"id": number, "at": time.monotonic(), "service": service, "action": action, "queue": queue})
        return number

    def answered(self, number: int, *, status: int, seconds: float) -> None:
        """Note that its answer is ready."""
        self._write({"id": number, "status": status, "seconds": round(seconds, 6)})
        if number % 1000 == 0 and os.fstat(self._descriptor).st_size > MOST_LOG_BYTES:
            os.ftruncate(self._descriptor, 0)

    def _write(self, entry: dict[str, object]) -> None:
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")


def describe(environ: dict[str, Any], body: bytes) -> tuple[str, str]:
    """Action and queue of a request: in AWS's JSON protocol, the query protocol of older clients, or REST's method."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    path = environ.get("PATH_INFO", "")
    if target:
        found = _TARGET.search(body)
        return target.rpartition(".")[2], found[1].decode("utf-8", "replace") if found else ""
    query = body or environ.get("QUERY_STRING", "").encode()
    action, found = _QUERY_ACTION.search(query), _QUERY_QUEUE.search(query)
    if not action:
        return f"{environ.get('REQUEST_METHOD', '')} {path}", ""
    queue = found[1].decode("utf-8", "replace") if found else path.rpartition("/")[2]
    return action[1].decode(), queue


class Services:
    """The applications of moto's services, each made when it is first asked for; ``noted`` takes their names."""

    def __init__(self, noted: Path) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._noted = noted
        self._dispatcher = DomainDispatcherApplication(create_backend_app)
        self._known: dict[str, str] = {}
        self._load("sqs")

    def load_noted(self) -> None:
        """Load what clients have asked for so far."""
        if self._noted.exists():
            for name in set(self._noted.read_text().split()) - set(self._dispatcher.app_instances):
                self._load(name)

    def service_of(self, environ: dict[str, Any]) -> str:
        """The moto module that serves a request; empty where there is none, ``asked_for`` then says what was asked."""
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith("AmazonSQS."):
            return "sqs"
        if not environ.get("HTTP_AUTHORIZATION") and _is_query(environ):
            host: str | None = ".".join(USUAL)
        else:
            host = self._inferred(environ)
        host = host or "s3.us-east-1.amazonaws.com"
        if host not in self._known:  # moto looks its folder of services through for every request
            self._known[host] = self._dispatcher.get_backend_for_host(host) or ""
        return "sqs" if host == ".".join(USUAL) else self._known[host]

    def _inferred(self, environ: dict[str, Any]) -> str | None:
        try:
            found: str | None = self._dispatcher.infer_service_region_host(environ, environ.get("PATH_INFO", ""))
        except (KeyError, ValueError, IndexError):  # a header is missing that moto takes for granted
            return "unknown"
        return found

    def application(self, service: str) -> Any:
        """The WSGI application of a service."""
        found = self._dispatcher.app_instances.get(service)
        return found or self._load(service)

    def _load(self, service: str) -> Any:
        with self._dispatcher.lock:
            if service not in self._dispatcher.app_instances:
                self._dispatcher.app_instances[service] = self._dispatcher.create_app(service)
                with self._noted.open("a") as file:
                    file.write(f"{service}\n")
            return self._dispatcher.app_instances[service]


def _is_query(environ: dict[str, Any]) -> bool:
    """Whether a request names its action in the query string, and nowhere else who signed it."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    return "Action" in query and "X-Amz-Credential" not in query


def asked_for(environ: dict[str, Any]) -> str:
    """The service's name as the client signed it, or its target; for a sentence."""
    signed = re.search(r"Credential=[^/]*/[^/]*/[^/]*/([^/,]*)/", environ.get("HTTP_AUTHORIZATION", ""))
    return signed[1] if signed else environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0] or "this service"


def refusal(environ: dict[str, Any], code: str, words: str) -> tuple[list[tuple[str, str]], bytes]:
    """An error as clients read it: as XML to those that sent a form, else as JSON."""
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        from xml.sax.saxutils import escape

        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(words)}</Message></Error></ErrorResponse>"
        kind = "text/xml"
    else:
        text, kind = json.dumps({"__type": code, "message": words}), "application/json"
    body = text.encode()
    return [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-errortype", code)], body


class Account:
    """The WSGI application of one account: every service, with its own log."""

    def __init__(self, services: Services, log: RequestLog) -> None:
        self._services, self._log = services, log

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request, and log it unless it is this program's own."""
        began = time.monotonic()
        if environ.get("wsgi.input_terminated"):  # sent in chunks, as S3's uploads over TLS are
            body = environ["wsgi.input"].read()
            environ["CONTENT_LENGTH"] = str(len(body))
        else:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        service = self._services.service_of(environ)
        status = ["500"]

        def start(text: str, headers: Any, exc_info: Any = None) -> Any:
            status[0] = text
            return start_response(text, headers, exc_info)

        if OWN_HEADER in environ:
            return self._answer(service, environ, start)
        number = self._log.arrived(service or asked_for(environ), *describe(environ, body))
        answer = self._answer(service, environ, start)
        self._log.answered(number, status=int(status[0][:3]), seconds=time.monotonic() - began)
        return answer

    def _answer(self, service: str, environ: dict[str, Any], start: Any) -> Any:
        if not service:
            return _refused(environ, start, f"moto does not know the service {asked_for(environ)}{_INSTEAD}")
        try:
            return self._services.application(service)(environ, start)
        except NotImplementedError as error:
            words = str(error) or f"moto does not know this operation of {service}"
            return _refused(environ, start, f"{words}{_INSTEAD}")
        except Exception as error:  # noqa: BLE001  # else the client gets a page of HTML, and tries again and again
            import traceback

            traceback.print_exc()
            return _refused(environ, start, f"moto failed: {type(error).__name__}: {error}")


def _refused(environ: dict[str, Any], start: Any, words: str) -> list[bytes]:
    headers, body = refusal(environ, "NotImplemented", words)
    start("501 Not Implemented", headers)  # which clients do not try again
    return [body]


def serve(services: Services, ready: Path, log: Path, http: str) -> None:
    """Serve one account until killed."""
    from moto.moto_api._internal import mock_random
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

    class Handler(WSGIRequestHandler):  # type: ignore[misc]  # werkzeug is not followed
        protocol_version = f"HTTP/{http}"
        disable_nagle_algorithm = True  # else a kept connection waits 40 ms between an answer's headers and its body

        def log(self, *_: object, **__: object) -> None:
            """Nothing: the log is ours."""

    class Server(ThreadedWSGIServer):  # type: ignore[misc]  # likewise
        request_queue_size = BACKLOG
        daemon_threads = True

    mock_random.seed()  # else every account would give the same ids in the same order
    server = Server("127.0.0.1", 0, Account(services, RequestLog(log)), handler=Handler)
    partial = ready.with_suffix(".partial")
    partial.write_text(f"{server.server_port} {os.getpid()}")
    partial.replace(ready)
    server.serve_forever()


def main(folder: Path, http: str) -> None:
    """Open and close accounts as they are asked for; ends with standard input."""
    from moto.core.config import default_user_config

    for name in ("lambda", "batch"):
        default_user_config[name] = {"use_docker": False}
    services = Services(folder / "services")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # accounts that have ended are not waited for
    accounts: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "close" in request and request["close"] in accounts:
            accounts.remove(request["close"])
            os.kill(request["close"], signal.SIGKILL)
        if "open" in request:
            services.load_noted()
            pid = os.fork()
            if not pid:
                serve(services, Path(request["open"]["ready"]), Path(request["open"]["log"]), http)
            accounts.add(pid)
    for pid in accounts:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(sys.argv[2:] or ["1.0"]))
