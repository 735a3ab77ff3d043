"""How many hangs that begin at any moment a stop of ``rounds`` or ``amplify=stop`` ends unseen, by its rule and without it.

    python benchmarks/lost_hangs.py [--seeds 3]

Each seed has 30 loads at once of ten users, that wait 0.1 s between tasks of three operations. One of a load's users hangs,
within an operation, at a moment from 0.2 to 2.2 s; stops are due half a second after each other. Prints a Markdown table.
"""

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from repro.agent.knobs import Stops

LOADS, USERS, OPERATIONS = 30, 10, 3
THINK_S, PAUSE_S, LASTS_S = 0.1, 0.5, 5.0
NEVER = 1e9
"""A share of the time for which nobody stands: each must have gone on, and nothing else."""
_own: dict[str, Any] = {}
exec(compile("import gevent\ndef between(s): gevent.sleep(s)", Stops.LOCUSTS_WAIT, "exec"), _own)  # noqa: S102  # it must look like Locust's own wait
between: Callable[[float], None] = _own["between"]


class Load:
    """A runner of Locust's, as far as ``Stops`` needs it, whose users sleep for an operation."""

    state = "running"

    def __init__(self, chance: random.Random, mean_s: float) -> None:
        self.chance, self.mean_s = chance, mean_s
        self.user_classes_count = {"User": USERS}
        self.done: dict[gevent.Greenlet, int] = {}
        self.hung: gevent.Greenlet | None = None
        self.is_lost = False
        self.hangs_at = time.monotonic() + chance.uniform(0.2, 2.2)
        self.spawn_users(self.user_classes_count)

    @property
    def user_count(self) -> int:
        """The users that run."""
        return len(self.user_greenlets)

    def spawn_users(self, _counts: dict[str, int], *, wait: bool = False) -> None:  # noqa: ARG002  # as Locust has it
        """Start them all."""
        self.user_greenlets = [gevent.spawn(self._user) for _ in range(USERS)]

    def stop_users(self, _counts: dict[str, int]) -> None:
        """End them all, the one that hangs as well."""
        self.is_lost = self.is_lost or self.hung in self.user_greenlets
        gevent.killall(self.user_greenlets)
        self.user_greenlets = []

    def _user(self) -> None:
        me = gevent.getcurrent()
        self.done[me] = 1
        gevent.sleep(self.chance.random() * THINK_S)
        while True:
            between(THINK_S)
            for _ in range(OPERATIONS):
                self.done[me] += 1
                self._operation(me)

    def _operation(self, me: gevent.Greenlet) -> None:
        lasts_s = self.chance.expovariate(1 / self.mean_s)
        if self.hung is None and time.monotonic() + lasts_s > self.hangs_at:
            gevent.sleep(lasts_s * self.chance.random())
            if self.hung is None:
                self.hung = me
                Event().wait()
        gevent.sleep(lasts_s)


def lost(seed: int, *, share: float, mean_s: float) -> tuple[int, int]:
    """Hangs that a stop ended, and all, with ``STILL_SHARE`` at ``share`` and operations of ``mean_s`` on average."""
    Stops.STILL_SHARE = share
    chance = random.Random(seed)  # replayable, no secret
    loads, is_loading = [Load(chance, mean_s) for _ in range(LOADS)], [True]
    for load in loads:
        stops: Any = Stops(lambda: PAUSE_S, lambda: None, progress_of=load.done.get)  # type: ignore[no-untyped-call]  # the agent's
        gevent.spawn(stops.run, load, lambda: is_loading[0], lambda: None)
    gevent.sleep(LASTS_S)
    is_loading[0] = False
    for load in loads:
        gevent.killall(load.user_greenlets)
    return sum(load.is_lost for load in loads), sum(load.hung is not None for load in loads)


def main(seeds: int) -> None:
    """Print the table."""
    rule = Stops.STILL_SHARE
    print("| operations of | once each has gone on | by the rule |\n|---|---|---|")
    for mean_s in (0.02, 0.1):
        told = []
        for share in (NEVER, rule):
            found = [lost(seed, share=share, mean_s=mean_s) for seed in range(1, seeds + 1)]
            told.append(f"{sum(one for one, _ in found)} of {sum(every for _, every in found)}")
        print(f"| {mean_s * 1000:.0f} ms | {' | '.join(told)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    main(parser.parse_args().seeds)
