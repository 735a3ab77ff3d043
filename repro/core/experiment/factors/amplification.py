"""The levels of ``amplify``: which natural moments are made to come more often, one knob for each kind.

``none`` is as it is, ``gc+io`` some knobs at once, in the order of ``KNOBS``, ``all`` every one, by turns.
"""

from __future__ import annotations

from itertools import combinations

IO = "io"
KNOBS = ("gc", "stop", "dns", "threads", IO)
NONE, ALL = "none", "all"
AMPLIFY = "amplify"
OUTSIDE = frozenset({IO})
"""What acts between client and backend, where an exported file has nothing."""


def knobs_of(level: str) -> tuple[str, ...]:
    """The knobs of a level, in their order."""
    if level == ALL:
        return KNOBS
    return () if level == NONE else tuple(level.split("+"))


def level_of(knobs: tuple[str, ...]) -> str:
    """The level with these knobs, whatever their order."""
    own = tuple(knob for knob in KNOBS if knob in knobs)
    if not own:
        return NONE
    return ALL if own == KNOBS else "+".join(own)


def apart(level: str) -> tuple[str, ...]:
    """The level, each of its knobs alone, and none: what tells which knob is needed."""
    return tuple(dict.fromkeys((level, *knobs_of(level), NONE)))


def check(text: str) -> None:
    """Whether a level can be read.

    Raises:
        ValueError: it cannot; one sentence.
    """
    knobs = knobs_of(text)
    if any(knob not in KNOBS for knob in knobs):
        raise ValueError(f"choose none, {', '.join(KNOBS)} or all, or join some of them, such as gc+io")
    if level_of(knobs) != text:
        raise ValueError(f"write {level_of(knobs)}")


LEVELS = tuple(dict.fromkeys(level_of(some) for n in range(len(KNOBS) + 1) for some in combinations(KNOBS, n)))
"""Every level there is."""
IN_ONE_FILE = tuple(level for level in LEVELS if not OUTSIDE & set(knobs_of(level)))
"""Those that an exported file can have."""
