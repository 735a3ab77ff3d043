"""The way from a cell to its own queue: which backend, which variables lead there, and what stands between.

    backend ─▶ account ─▶ fresh queue, and what the load expects ─▶ proxy, for a fault or TLS ─▶ Gateway

The account goes and the proxy is ended when the trial is over; the backend's log of its requests stays as evidence.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from repro.core.experiment.factors.amplification import ALL, IO, NONE, knobs_of
from repro.core.judge.samples import BackendHealth
from repro.model import Cell, Provision
from repro.orchestration.trial.health import HealthWatch
from repro.world.backends.protocol import Backend
from repro.world.backends.provisions import provide
from repro.world.backends.request_log import LoggedRequest, write_requests

if TYPE_CHECKING:
    from repro.world.faults.tls import Authority


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The way from a cell to its queue: the queue's name and the variables that lead there.

    ``begin_load`` starts the clock of faults that act from second s to t of the load. ``secrets`` are the values among
    the variables that must not be written anywhere. ``open_requests`` counts the requests of this trial that the
    backend has received, by its own log, and not answered; None where it keeps no log. ``health`` tells of the backend.
    ``pids`` are the processes of ours that stand between the client and the backend, ``backend_port`` is where the
    backend listens on this machine, 0 where it does not. ``amplified`` are the moments that came because of each knob
    there.
    """

    queue: str
    variables: Mapping[str, str]
    pids: tuple[int, ...] = ()
    secrets: tuple[str, ...] = ()
    begin_load: Callable[[], None] = lambda: None
    open_requests: Callable[[], int | None] = lambda: None
    amplified: Callable[[], Mapping[str, int]] = dict
    health: Callable[[], BackendHealth] = BackendHealth
    backend_port: int = 0


@dataclass(frozen=True, kw_only=True)
class _Endpoint:
    """Where a cell's client connects to, the backend or the proxy before it, and what starts the proxy's clock."""

    variables: Mapping[str, str]
    begin_load: Callable[[], None] = lambda: None
    pids: tuple[int, ...] = ()
    amplified: Callable[[], Mapping[str, int]] = dict


@dataclass(frozen=True, kw_only=True)
class Gateways:
    """Opens gateways to the backends that stand, by their names; ``authority`` signs the proxies of cells with TLS."""

    backends: Mapping[str, Backend]
    authority: Authority | None = None
    provision: Provision = field(default_factory=Provision)

    @contextlib.contextmanager
    def open(self, cell: Cell, *, folder: Path, mark: str, seed: int) -> Iterator[Gateway]:
        """A gateway for one trial, with a fresh queue; ``seed`` is for the faults, ``mark`` for the proxy's process."""
        common = self.backends[str(cell.settings.get("backend", "moto"))]
        queue = f"repro-{cell.id[:8]}-{secrets.token_hex(4)}"
        with common.account(folder, mark=mark) as backend:
            since = backend.request_mark()
            backend.new_queue(queue, messages=int(cell.settings.get("messages", 0)))
            try:
                provide(self.provision, backend, queue=queue)
                with (
                    self._endpoint(backend, cell, folder=folder, mark=mark, seed=seed) as endpoint,
                    HealthWatch(backend) as health,
                ):
                    is_named = bool(cell.settings.get("by_name"))
                    yield Gateway(
                        queue=queue,
                        variables=_named(endpoint.variables) if is_named else endpoint.variables,
                        pids=endpoint.pids,
                        secrets=backend.secrets,
                        begin_load=endpoint.begin_load,
                        amplified=endpoint.amplified,
                        open_requests=lambda: _open_requests(backend.requests_since(since)),
                        health=health.latest,
                        backend_port=health.port,
                    )
            finally:
                write_requests(folder / "backend-requests.jsonl", backend.requests_since(since))
                backend.drop_queue(queue)

    def rehearse(self, name: str, folder: Path) -> None:
        """Make once, before any trial, what the trials will find: what cannot be made is said at once.

        Raises:
            UsageError: one sentence.
        """
        if not self.provision.is_empty:
            with self.backends[name].account(folder, mark=f"rehearsal-{secrets.token_hex(4)}") as backend:
                provide(self.provision, backend, queue=backend.new_queue("repro-rehearsal").name)
                backend.drop_queue("repro-rehearsal")

    @contextlib.contextmanager
    def _endpoint(self, backend: Backend, cell: Cell, *, folder: Path, mark: str, seed: int) -> Iterator[_Endpoint]:
        fault, has_tls = str(cell.settings.get("fault", "")), bool(cell.settings.get("tls"))
        variables = dict(backend.cell_environ())
        if self.provision.redirects:
            variables["REPRO_REDIRECT"] = " ".join(self.provision.redirects)
        level = str(cell.settings.get("amplify", NONE))
        is_amplified = IO in knobs_of(level)
        if not fault and not has_tls and not is_amplified:
            yield _Endpoint(variables=variables)
            return
        from repro.core.experiment.factors.faults import parse_fault
        from repro.world.faults import Proxy

        authority = self.authority if has_tls else None
        with Proxy.start(
            backend.endpoint_url,
            faults=parse_fault(fault),
            seed=seed,
            folder=folder,
            mark=f"{mark}-proxy",
            tls=authority,
            is_amplified=is_amplified,
            takes_turns=level == ALL,
        ) as proxy:
            variables |= {"AWS_ENDPOINT_URL": proxy.url, "AWS_ENDPOINT_URL_SQS": proxy.url}
            if authority is not None:
                variables["AWS_CA_BUNDLE"] = str(authority.ca_file)
                if self.provision.redirects:  # a plain HTTP client, led here, knows nothing of AWS's variables
                    variables |= dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(authority.ca_file))
            yield _Endpoint(
                variables=variables,
                begin_load=proxy.mark_load_started,
                pids=(proxy.pid,),
                amplified=lambda: {IO: proxy.mixed()} if is_amplified else {},
            )


def _named(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables with the name of this machine's loopback in the place of its address."""
    return {name: value.replace("//127.0.0.1:", "//localhost:") for name, value in variables.items()}


def _open_requests(requests: tuple[LoggedRequest, ...]) -> int | None:
    return sum(1 for request in requests if request.status is None) if requests else None
