"""What all backends have in common that run already: they are not ours to empty, and keep no log for us."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from repro.world.backends.protocol import Backend
from repro.world.backends.request_log import LoggedRequest


class BorrowedBackend:
    """Somebody's server: it is judged by its answers alone."""

    def request_mark(self) -> int:
        """No log, no mark."""
        return 0

    def requests_since(self, mark: int) -> tuple[LoggedRequest, ...]:  # noqa: ARG002  # the Protocol's signature
        """Nothing: it keeps no log for us."""
        return ()

    def requests(self) -> int | None:
        """Nobody counts them."""
        return None

    @contextlib.contextmanager
    def account(self: Backend, folder: Path, *, mark: str) -> Iterator[Backend]:  # noqa: ARG002  # likewise
        """The account that there is: it is not ours to empty."""
        yield self

    def is_alive(self) -> bool:
        """Not ours: it is judged by its answers alone."""
        return True

    def pids(self) -> tuple[int, ...]:
        """None is ours."""
        return ()
