"""MiniStack, another emulator, in an environment and a process of its own: rules out that moto itself is what hangs."""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

from repro.errors import BackendError, UntestableError
from repro.model import Environment, EnvironmentSpec
from repro.world.backends.servers.server import ServerBackend, server_environ
from repro.world.environments.cache import EnvironmentCache

RELEASE = "1.5.33"
PYTHON = "3.11"
ATTEMPTS = 3
"""It takes no port 0: a free port is looked for, and somebody else may take it first."""


class MiniStackBackend(ServerBackend):
    """Builds its environment once (cached with the cells'), serves on loopback alone; an account is a process."""

    name = "ministack"

    def start(self) -> None:
        """Ready when it answers its probe."""
        try:
            environment = EnvironmentCache().ensure(EnvironmentSpec(python=PYTHON, pins={"ministack": RELEASE}))
        except UntestableError as error:
            raise BackendError(f"MiniStack cannot be installed: {error}; or use --backend moto") from error
        for _ in range(ATTEMPTS):
            port = _free_port()
            try:
                self._start_once(environment, port)
            except BackendError:
                if not _is_taken(port):
                    raise
            else:
                return
        raise BackendError(
            f"MiniStack finds no port: {ATTEMPTS} that were free were in use before it could take them "
            f"(the last was {self.endpoint_url}); run it again, or use --backend moto"
        )

    @contextlib.contextmanager
    def account(self, folder: Path, *, mark: str) -> Iterator[MiniStackBackend]:  # noqa: ARG002  # its files go with it
        """A server of its own, which has nothing in it."""
        own = self._folder / secrets.token_hex(4)
        own.mkdir()
        account = MiniStackBackend(folder=own, mark=f"{self._mark}-{own.name}")
        account.start()
        try:
            yield account
        finally:
            account.stop()

    def _start_once(self, environment: Environment, port: int) -> None:
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self.__dict__.pop("_wire", None)
        self._launch([environment.interpreter, "-m", "ministack"], self._environ(port))
        self._await_answer()

    def _environ(self, port: int) -> dict[str, str]:
        """Nothing beside the services; above all no Docker, whose containers it would tidy away at start and end."""
        nowhere = f"unix://{self._folder / 'no-docker.sock'}"
        return {
            **server_environ(),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": nowhere,
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "LOG_LEVEL": "WARNING",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "PYTHONUNBUFFERED": "1",
        }


def _is_taken(port: int) -> bool:
    """Whether somebody listens there; asked when this server's own process has ended, so that it is somebody else."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that has just ended takes no port
        try:
            one.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
