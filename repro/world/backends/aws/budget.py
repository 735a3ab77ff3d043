"""How many requests a run against a real account will make, and the most that it may. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from repro.errors import UsageError
from repro.world.backends.aws.account import ATTEMPTS
from repro.world.backends.endpoint import BATCH

ROUND_TRIP_S = 0.02
"""A call to the nearest region; the estimate is meant to be high rather than low."""

CALLS_PER_PROCESS_S = 500.0
"""The most calls a second that one Locust process with boto3 made on one core (`benchmarks/backend_capacity.py`)."""

OWN_CALLS = 3
"""For each trial, besides messages and probes: make the queue, delete it, and one to spare for the run's own start."""

PROBES_S = 0.1
EXTENSION_S = 180.0
"""A trial is probed so much longer at most: while users are waited for, and its evidence is collected."""

COST_PER_MILLION = 0.40
"""US dollars for a million requests to a standard queue: https://aws.amazon.com/sqs/pricing/"""


@dataclass(frozen=True, kw_only=True)
class TrialLoad:
    """What one trial asks of the service; ``processes`` are those that load."""

    users: int
    seconds: float
    messages: int = 0
    processes: int = 1

    @property
    def calls(self) -> int:
        """Calls of the client, at most, by what users and processes can do; retries not counted."""
        rate = min(self.users / ROUND_TRIP_S, CALLS_PER_PROCESS_S * self.processes)
        return ceil(rate * self.seconds)

    @property
    def own(self) -> int:
        """This program's own requests around the trial at most, retries included."""
        calls = OWN_CALLS + ceil(self.messages / BATCH)
        return calls * ATTEMPTS + ceil((self.seconds + EXTENSION_S) * PROBES_S)


@dataclass(frozen=True)
class RequestBudget:
    """The most requests that a run may make.

    It is shared out to the processes of the trials before the run: each may make ``requests_per_process`` requests,
    every attempt of a call counted. What one trial leaves over is not given to another, so the bound holds whatever the
    order, the number at once, and how the load turns out.
    """

    limit: int

    def requests_per_process(self, trials: Sequence[TrialLoad]) -> int:
        """The requests that each process of each trial may make.

        Raises:
            UsageError: it is not enough for a single one each; the least that is.
        """
        own = sum(trial.own for trial in trials)
        processes = sum(trial.processes for trial in trials)
        requests = (self.limit - own) // processes if processes else self.limit
        if requests < 1:
            raise UsageError(
                f"a budget of {self.limit:,} requests is too small for {len(trials)} trials; "
                f"give at least {own + processes:,}"
            )
        return requests


def estimate_requests(trials: Sequence[TrialLoad]) -> int:
    """About how many requests all trials will make, rather too many than too few, no call being tried twice."""
    return sum(trial.calls + trial.own for trial in trials)


def plan_text(
    *, region: str, queues: int, estimated_requests: int, budget: RequestBudget, endpoint_url: str = ""
) -> str:
    """What a run will create and cost, before anything is created; for the question that is asked of the user."""
    requests = min(estimated_requests, budget.limit)
    where = f"the real SQS of {region}" + (f" at {endpoint_url}" if endpoint_url else "")
    return (
        f"This makes {queues} queues in {where}, one after the other, named repro-… and tagged created-by=repro; "
        f"each is deleted when its trial ends. About {requests:,} requests, never more than {budget.limit:,}: about "
        f"{requests * COST_PER_MILLION / 1e6:.2f} and at most {budget.limit * COST_PER_MILLION / 1e6:.2f} US dollars "
        f"at {COST_PER_MILLION:.2f} a million. Should a crash leave any behind: `repro cleanup --region {region}`."
    )
