"""The way to a cluster: a client of the scheduler that was named, or of workers that are started here to try it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Iterator

import dask
from distributed import Client, LocalCluster
from distributed.core import rpc

from repro.errors import ClusterError
from repro.orchestration.workers.address import ClusterAddress
from repro.orchestration.workers.worker import outlive_interrupts

CONNECT_S = 5.0
_CONFIG = {
    "distributed.admin.low-level-log-length": 20,  # of the latest messages, each of which may hold a whole trial
    "distributed.worker.profile.enabled": False,  # it samples the stacks of threads that judge by time
    "distributed.admin.tick.limit": "1h",  # or it warns, amid the progress, of a machine that is as loaded as wanted
}


@contextlib.contextmanager
def connected(address: ClusterAddress) -> Iterator[Client]:
    """A client of the cluster.

    Raises:
        ClusterError: nobody answers there, or somebody else.
    """
    # Dask warns and logs of every worker that comes or goes; what matters of that is said by the pool.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_CONFIG))
        if address.url:
            _check_answers(address.url)
        where = stack.enter_context(_local(address.local)) if address.local else address.url
        client = stack.enter_context(_client(where))
        if address.local:
            client.run(outlive_interrupts)
        yield client


def _check_answers(url: str) -> None:
    """See that a scheduler answers: a client would wait for ever for the first word of somebody who is silent."""
    try:
        kind = asyncio.run(asyncio.wait_for(_kind_of(url), CONNECT_S))
    except Exception as error:  # an HTTP server's answer is none of dask's, and raises what it happens to raise
        raise _no_answer(url) from error
    if kind != "Scheduler":
        raise ClusterError(f"{url} is the address of a dask {kind.lower()}; give the scheduler's")


async def _kind_of(url: str) -> str:
    async with rpc(url, timeout=CONNECT_S) as peer:
        answer = await peer.identity()
        return str(answer["type"])


def _no_answer(where: object) -> ClusterError:
    return ClusterError(
        f"no dask scheduler answers at {where} within {CONNECT_S:.0f} s; start one with `dask scheduler`, "
        "or check the address"
    )


@contextlib.contextmanager
def _local(count: int) -> Iterator[LocalCluster]:
    with (
        tempfile.TemporaryDirectory(prefix="repro-dask-", ignore_cleanup_errors=True) as folder,
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=None,
            host="127.0.0.1",
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster


@contextlib.contextmanager
def _client(where: LocalCluster | str) -> Iterator[Client]:
    try:
        client = Client(where, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise _no_answer(where) from error
    try:
        yield client
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            client.close(timeout=CONNECT_S)
