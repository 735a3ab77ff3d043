"""The way from a cell to a queue of its own: which backend, which variables lead there, and what stands between.

    backend ─▶ fresh queue ─▶ proxy, where the cell asks for a fault or for TLS ─▶ Gateway

The queue is deleted and the proxy ended when the trial is over; the backend's log of the queue's requests stays as
evidence.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro.model import Cell
from repro.world.backends.protocol import Backend
from repro.world.backends.request_log import LoggedRequest, write_requests

if TYPE_CHECKING:
    from repro.world.faults.tls import Authority


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The way from a cell to its queue: the queue's name and the variables that lead there.

    ``begin_load`` starts the clock of faults that act from second s to t of the load. ``secrets`` are the values among
    the variables that must not be written anywhere. ``open_requests`` counts the requests of this queue that the
    backend has received, by its own log, and not answered; None where it keeps no log.
    ``pids`` are the processes of ours that stand between the client and the backend.
    """

    queue: str
    variables: Mapping[str, str]
    pids: tuple[int, ...] = ()
    secrets: tuple[str, ...] = ()
    begin_load: Callable[[], None] = lambda: None
    open_requests: Callable[[], int | None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class _Endpoint:
    """Where a cell's client connects to, the backend or the proxy before it, and what starts the proxy's clock."""

    variables: Mapping[str, str]
    begin_load: Callable[[], None] = lambda: None
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Gateways:
    """Opens gateways to the backends that stand, by their names; ``authority`` signs the proxies of cells with TLS."""

    backends: Mapping[str, Backend]
    authority: Authority | None = None

    @contextlib.contextmanager
    def open(self, cell: Cell, *, folder: Path, mark: str, seed: int) -> Iterator[Gateway]:
        """A gateway for one trial, with a fresh queue; ``seed`` is for the faults, ``mark`` for the proxy's process."""
        backend = self.backends[str(cell.settings.get("backend", "moto"))]
        queue = f"repro-{cell.id[:8]}-{secrets.token_hex(4)}"
        since = backend.request_mark()
        backend.new_queue(queue, messages=int(cell.settings.get("messages", 0)))
        try:
            with self._endpoint(backend, cell, folder=folder, mark=mark, seed=seed) as endpoint:
                yield Gateway(
                    queue=queue,
                    variables=endpoint.variables,
                    pids=endpoint.pids,
                    secrets=backend.secrets,
                    begin_load=endpoint.begin_load,
                    open_requests=lambda: _open_requests(backend.requests_since(since), queue),
                )
        finally:
            write_requests(folder / "backend-requests.jsonl", backend.requests_since(since), queue=queue)
            backend.drop_queue(queue)

    @contextlib.contextmanager
    def _endpoint(self, backend: Backend, cell: Cell, *, folder: Path, mark: str, seed: int) -> Iterator[_Endpoint]:
        fault, has_tls = str(cell.settings.get("fault", "")), bool(cell.settings.get("tls"))
        variables = dict(backend.cell_environ())
        if not fault and not has_tls:
            yield _Endpoint(variables=variables)
            return
        from repro.core.experiment.faults import parse_fault
        from repro.world.faults import Proxy

        authority = self.authority if has_tls else None
        with Proxy.start(
            backend.endpoint_url,
            faults=parse_fault(fault),
            seed=seed,
            folder=folder,
            mark=f"{mark}-proxy",
            tls=authority,
        ) as proxy:
            variables |= {"AWS_ENDPOINT_URL": proxy.url, "AWS_ENDPOINT_URL_SQS": proxy.url}
            if authority is not None:
                variables["AWS_CA_BUNDLE"] = str(authority.ca_file)
            yield _Endpoint(variables=variables, begin_load=proxy.mark_load_started, pids=(proxy.pid,))


def _open_requests(requests: tuple[LoggedRequest, ...], queue: str) -> int | None:
    own = [request for request in requests if request.queue == queue]
    return sum(1 for request in own if request.status is None) if own else None
