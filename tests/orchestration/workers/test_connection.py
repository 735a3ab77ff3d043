"""A scheduler that is none, or has nobody: one sentence, and soon."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from distributed import LocalCluster

from repro.errors import ClusterError
from repro.model import Limits, Plan, TrialOptions
from repro.orchestration.workers import admission, connection
from repro.orchestration.workers.address import ClusterAddress
from repro.orchestration.workers.connection import connected
from repro.orchestration.workers.load import PackedLoad
from repro.orchestration.workers.parcel import Parcel
from repro.orchestration.workers.pool import WorkerPool
from repro.orchestration.workers.worker import Briefing

NO_PAGE = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
PLAN = Plan(experiment="e", scenario="s", cells=(), varied=(), trials=1, limits=Limits())


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who takes connections and never says a word."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one


def test_one_that_is_silent_is_given_up(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_S", 1.0)
    address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    with (
        pytest.raises(ClusterError, match=f"no dask scheduler answers at {address} within 1 s; start one with"),
        connected(ClusterAddress.read(address)),
    ):
        pass


def test_one_that_is_not_there_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_S", 1.0)
    with (
        pytest.raises(ClusterError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:1 "),
        connected(ClusterAddress.read("tcp://127.0.0.1:1")),
    ):
        pass


def test_one_without_workers_says_how_to_start_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "FIRST_WORKER_S", 0.0)
    load = PackedLoad(options=TrialOptions(locustfile=__file__), parcel=Parcel(b""))  # type: ignore[arg-type]
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", scheduler_kwargs=NO_PAGE) as cluster,
        connected(ClusterAddress.read(cluster.scheduler_address)) as client,
    ):
        workers = WorkerPool(
            client, Briefing(name="x", plan=PLAN, load=load), reproduce=lambda _: "", on_note=lambda _: None
        )
        with pytest.raises(ClusterError, match="has no workers; start some with `dask worker ADDRESS`"):
            workers.open()
        workers.close()
