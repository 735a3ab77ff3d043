"""A trial second by second: operations ended, users stuck, users alive. Users get stuck long before all are."""

from __future__ import annotations

from collections.abc import Sequence

from repro.core.course.exposure import Tick
from repro.core.judge.judge import Decision
from repro.model import Moment, Trial, Verdict

MAX_SECONDS = 3600


def timeline(samples: Sequence[Tick], *, load_at: float, decision: Decision) -> tuple[Moment, ...]:
    """The seconds of the load up to the verdict.

    ``samples`` are in order. Who was stuck at a second is
    known only afterwards: a user that is stuck at the end counts from when it was last seen to do anything.
    """
    seconds = min(int(decision.at - load_at) + 1, MAX_SECONDS)
    stuck_since = (
        [_stuck_since(decision, user.since) for user in decision.stuck] if decision.row.verdict is Verdict.HANG else []
    )
    moments = []
    before = 0
    for second in range(max(seconds, 0)):
        end = load_at + second + 1
        ended, alive = _at(samples, end)
        stuck = sum(1 for since in stuck_since if since <= end)
        moments.append(Moment(second=second, ended=ended - before, stuck=stuck, alive=alive))
        before = ended
    return tuple(moments)


def _stuck_since(decision: Decision, quiet_since: float) -> float:
    """A user that outlives the stop is stuck from then on, however busy it is."""
    return max(decision.since, quiet_since) if decision.facts.grace_over else quiet_since


def _at(samples: Sequence[Tick], moment: float) -> tuple[int, int]:
    ended = alive = 0
    for tick in samples:
        if tick.now > moment:
            break
        ended, alive = tick.ended, tick.alive
    return ended, alive


def throughput(trial: Trial, seconds: float) -> float:
    """Operations a second over the load as it was asked for, without its extension for those who were waited for."""
    return sum(moment.ended for moment in trial.timeline if moment.second < seconds) / seconds if seconds else 0.0


def sparkline(values: Sequence[int], *, width: int = 60) -> str:
    """The values as a row of blocks, at most ``width`` wide; an empty one for no values."""
    if not values:
        return ""
    step = max(1, -(-len(values) // width))
    buckets = [max(values[start : start + step]) for start in range(0, len(values), step)]
    top = max(buckets) or 1
    blocks = " ▁▂▃▄▅▆▇█"
    return "".join(blocks[-(-value * (len(blocks) - 1) // top)] for value in buckets)
