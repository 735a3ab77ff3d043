"""What came only under an amplification, and what a replayed seed came to, in English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.core.amplification.pairs import AmplifiedPair, Neighbour, amplified_pairs, knob_of
from repro.core.amplification.replays import Replay, replays
from repro.model import CellResult, StoredRun
from repro.presentation.lines import AnswerLine
from repro.presentation.matrix.levels import levels_text


def amplified_lines(run: StoredRun, tried: Sequence[CellResult]) -> Iterator[AnswerLine]:
    """A line for each cell that hung amplified, and one for each seed that was replayed."""
    yield from (AnswerLine("Amplified:", amplified_text(pair)) for pair in amplified_pairs(tried))
    if (seed := run.plan.effort.replays) is not None:
        yield from (AnswerLine("Replayed:", replay_text(one, seed)) for one in replays(tried))


def amplified_text(pair: AmplifiedPair) -> str:
    """``only under amplify=gc, 10 of 10; naturally 0 of 20 (210,000 operations)``, and what its neighbours came to."""
    (hung, n), (naturally, of) = (_hits(one) for one in (pair.amplified, pair.natural))
    beside = f"naturally {naturally} of {of} ({pair.natural.exposure.operations:,} operations)"
    beside += "".join(f"; {_neighbour(one)}" for one in pair.neighbours)
    if pair.is_withdrawn:
        return (
            f"withdrawn: under amplify={pair.knob} {hung} of {n} hung, and so did every cell beside it, so that the "
            f"amplification itself may hang it; {beside}"
        )
    if pair.is_same is None:
        return f"only under amplify={pair.knob}, {hung} of {n}; {beside}"
    kind = "the same hang" if pair.is_same else "another hang"
    return f"under amplify={pair.knob} {hung} of {n}, {kind}; {beside}"


def _neighbour(one: Neighbour) -> str:
    """``amplified alike with gevent=25.9.1 0 of 10``."""
    hung, n = _hits(one.result)
    return f"amplified alike with {levels_text({one.factor: one.level})} {hung} of {n}"


def replay_text(replay: Replay, seed: int) -> str:
    """``replayed 9 of 10 (seed 7, amplify=all); needs only gc (10 of 10)``."""
    knob = knob_of(replay.result)
    told = f"replayed {replay.rate.hits} of {replay.rate.n} (seed {seed}, amplify={knob})"
    if not replay.rate.hits or not (replay.enough or replay.idle):
        return told
    return f"{told}; {_needs(replay)}"


def _needs(replay: Replay) -> str:
    if not replay.enough:
        return f"no knob brings it alone: tried {', '.join(replay.idle)}"
    shares = [f"{knob} ({rate.hits} of {rate.n})" for knob, rate in replay.enough]
    if len(shares) == 1:
        return f"needs only {shares[0]}"
    return f"needs only one of {', '.join(shares)}"


def _hits(result: CellResult) -> tuple[int, int]:
    return (result.rate.hits, result.rate.n) if result.rate else (0, 0)
