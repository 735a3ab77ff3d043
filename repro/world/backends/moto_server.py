"""A moto server on loopback and a free port, in a process of its own: ``moto_server.py READY_FILE LOG_FILE``.

Werkzeug's threaded server as ``moto_server`` runs it, with a longer queue of connections waiting to be accepted (200 users connect at once)
and a request log: one JSON line for each request when its answer is ready.
"""

import json
import sys
import time
from pathlib import Path

BACKLOG = 1024


def main(ready: Path, log_path: Path) -> None:
    """Serve until killed; the port is in the ready file once the server listens."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

    log = log_path.open("a", buffering=1)

    class Handler(WSGIRequestHandler):  # type: ignore[misc]  # werkzeug is not followed
        def log(self, *_: object, **__: object) -> None:
            """Nothing: the log is ours."""

    class Server(ThreadedWSGIServer):  # type: ignore[misc]  # likewise
        request_queue_size = BACKLOG
        daemon_threads = True

    application = DomainDispatcherApplication(create_backend_app)

    def logged(environ, start_response):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # WSGI
        began = time.monotonic()
        status: list[str] = []

        def start(text, headers, exc_info=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            status.append(text)
            return start_response(text, headers, exc_info)

        answer = application(environ, start)
        action = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        record = {"at": began, "seconds": time.monotonic() - began, "action": action, "status": (status or [""])[0][:3]}
        log.write(json.dumps(record) + "\n")
        return answer

    server = Server("127.0.0.1", 0, logged, handler=Handler)
    partial = ready.with_suffix(".partial")
    partial.write_text(str(server.server_port))
    partial.replace(ready)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
