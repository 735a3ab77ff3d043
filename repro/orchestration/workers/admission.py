"""How a worker comes to take part in a run: its version is asked for, it gets the plugin, and it is opened.

The plugin is not given to the scheduler, which would give it to all workers that join, also to those that do not have
repro and cannot even read it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from distributed import Client
from distributed import Future as Task

import repro
from repro.errors import ClusterError
from repro.orchestration.workers.report import WorkerReport, version_text
from repro.orchestration.workers.worker import Briefing, Opening, install, opening_key, remove

FIRST_WORKER_S = 15.0
"""Seconds that a scheduler gets to show a worker."""
POLL_S = 0.5
OPENING_POLL_S = 2.0
_VERSION = "__import__('repro').__version__"


@dataclass(frozen=True)
class Admitted:
    """A worker that has been looked at: its report, or why there is none."""

    address: str
    report: WorkerReport | None = None
    reason: str = ""


class Admission:
    """The door between a cluster and a run."""

    def __init__(self, client: Client, briefing: Briefing) -> None:
        self._client, self._briefing = client, briefing
        self._openings: dict[str, Task[WorkerReport]] = {}
        self._present: dict[str, str] = {}

    def check_scheduler(self) -> None:
        """See that the scheduler is there.

        Raises:
            ClusterError: it has gone; all tasks went with it.
        """
        if self._client.status != "running":
            raise ClusterError("the scheduler of --dask is gone; start it again, then continue with --resume")

    def present(self) -> dict[str, str]:
        """The addresses of the cluster's workers, with dask's word for how each one is.

        Asked of the scheduler itself: the client's own ``scheduler_info`` shares its answer with a task that asks for
        no workers every few seconds, and then all of them seem to be gone.
        """
        self.check_scheduler()
        try:
            identity = self._client.sync(self._client.scheduler.identity, n_workers=-1)
        except OSError:
            self.check_scheduler()  # it has gone, or has no time now
            return self._present
        self._present = {address: str(info.get("status")) for address, info in identity["workers"].items()}
        return self._present

    def first_workers(self) -> set[str]:
        """The workers that are there, once there is one.

        Raises:
            ClusterError: there is none.
        """
        deadline = time.monotonic() + FIRST_WORKER_S
        while not (found := running(self.present())):
            if time.monotonic() > deadline:
                raise ClusterError("the scheduler of --dask has no workers; start some with `dask worker ADDRESS`")
            time.sleep(POLL_S)
        return found

    def version_of(self, address: str) -> str:
        """A worker's version of repro; asked without anything of repro, which it may not have."""
        answers = self._client.run(eval, _VERSION, workers=[address], on_error="return")
        answer = answers.get(address)
        return answer if isinstance(answer, str) else ""

    def admit(self, address: str) -> Admitted:
        """Open a worker, which takes as long as its backend and a look at its interpreters."""
        try:
            version = self.version_of(address)
            if version != repro.__version__:
                return Admitted(address, reason=version_text(address, version, own=repro.__version__))
            self._client.run(install, self._briefing, workers=[address])
            opening, key = Opening(self._briefing.name), opening_key(self._briefing.name, address)
            task = self._client.submit(opening, key=key, workers=[address], pure=False)
            self._openings[address] = task  # as long as it is held, the worker's session stays open
            return Admitted(address, report=self._awaited(task, address))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one worker, the others go on
            return Admitted(address, reason=f"the worker {address} gets no trials: {error}")

    def let_go(self, address: str) -> None:
        """Have a worker close its session, if it is there still."""
        self._openings.pop(address, None)

    def remove(self, addresses: Collection[str]) -> None:
        """Take the plugin away from workers, which ends their trials; returns once that is done."""
        self._client.run(remove, self._briefing.name, on_error="return", workers=[*addresses])

    def _awaited(self, opening: Task[WorkerReport], address: str) -> WorkerReport:
        while True:
            with suppress(TimeoutError):
                report: WorkerReport = opening.result(timeout=OPENING_POLL_S)
                return report
            if address not in self.present():
                raise ClusterError("it was lost before it was ready")


def running(present: Mapping[str, str]) -> set[str]:
    """The addresses of those that take tasks."""
    return {address for address, status in present.items() if status == "running"}
