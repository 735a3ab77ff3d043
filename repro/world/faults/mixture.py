"""What ``amplify=io`` does to an answer, by the seed: it comes later, in two pieces, or its connection ends behind it.

Each occurs on any network: a server that thinks, a packet that ends in the middle of an answer, a server that keeps no
connection longer. No byte is lost or changed, and no answer is cut short.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

MIXED = "mixed"
"""The event in the proxy's log."""
DELAYED, PARTED, CLOSED = 0.25, 0.5, 0.02
"""The shares of the answers; one may have several."""
IN_BODY, BEHIND_HEAD = 0.5, 0.25
"""The shares of the cuts; the others are within the head."""
SHORTEST_S, LONGEST_DELAY_S, LONGEST_PAUSE_S = 1e-3, 0.5, 0.1


@dataclass(frozen=True)
class Mixed:
    """An answer's way: seconds before it, the byte behind which it pauses and how long, whether its connection ends."""

    delay_s: float = 0.0
    cut_at: int = 0
    pause_s: float = 0.0
    closes: bool = False


UNMIXED = Mixed()


def mixture(*, seed: int, ordinal: int, head: int, body: int) -> Mixed:
    """That of the answer to the request of this number, with so many bytes of head and body."""
    chance = random.Random(f"{seed}:io:{ordinal}")  # noqa: S311  # replayable, no secret
    delay_s = _between(chance, LONGEST_DELAY_S) if chance.random() < DELAYED else 0.0
    cut_at = _cut(chance, head, body) if chance.random() < PARTED and head + body > 1 else 0
    pause_s = _between(chance, LONGEST_PAUSE_S) if cut_at else 0.0
    return Mixed(delay_s, cut_at, pause_s, chance.random() < CLOSED)


def _cut(chance: random.Random, head: int, body: int) -> int:
    """Half of them within the body, a quarter behind the head, as servers write them, and a quarter within the head.

    Every byte alike would leave a short body whole: its head is longer, and most programs never see where a head ends.
    """
    place = chance.random()
    if body > 1 and place < IN_BODY:
        return chance.randrange(head + 1, head + body)
    if body and head and place < IN_BODY + BEHIND_HEAD:
        return head
    return chance.randrange(1, head if head > 1 else head + body)


def _between(chance: random.Random, longest_s: float) -> float:
    """Log-uniform: no one length is right."""
    return float(SHORTEST_S * (longest_s / SHORTEST_S) ** chance.random())
