"""The knobs of ``amplify`` in a real process: what they make happen, decided by the seed, and what they leave alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import repro
from repro.agent.knobs import Collections, Draws, Lookups, Turns
from repro.core.experiment.factors.amplification import KNOBS
from repro.core.judge.samples import Reading
from repro.world.collecting.flight import Fleet

BOOT = Path(repro.__file__).parent / "agent" / "boot.py"
LIMIT_S = 180
# Keeps containers, and tells after how many of them each collection began: a program that does the same each time.
ALLOCATES = """
import gc, sys
with sys.modules["repro_agent"].operation("call"):
    pass
{before}
gc.collect()
seen, kept = [], []
gc.callbacks.append(lambda phase, info: phase == "start" and seen.append(len(kept)))
for _ in range(20000):
    kept.append([])
print(seen)
"""


def allocates(folder: Path, *, before: str = "", source: str = ALLOCATES, **variables: str) -> tuple[str, Reading]:
    folder.mkdir()
    script = folder / "script.py"
    script.write_text(source.format(before=before))
    settings = {
        "PATH": os.defpath,
        "REPRO_LAUNCH": "script",
        "REPRO_LOCUSTFILE": str(script),
        "REPRO_TRIAL_DIR": str(folder),
        "REPRO_STACKS_SIGNAL": "12",
        "REPRO_SLOTS": "10",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, BOOT], env=settings, capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    (reading,) = Fleet(folder).read()
    return done.stdout, reading


def test_collections_come_more_often_and_the_seed_decides_when(tmp_path: Path) -> None:
    natural, calm = allocates(tmp_path / "natural", REPRO_SEED="1")
    first, busy = allocates(tmp_path / "first", REPRO_SEED="1", REPRO_AMPLIFY="gc")
    again, _ = allocates(tmp_path / "again", REPRO_SEED="1", REPRO_AMPLIFY="gc")
    other, _ = allocates(tmp_path / "other", REPRO_SEED="2", REPRO_AMPLIFY="gc")
    assert first == again
    assert first != other
    assert sum(calm.amplified.values()) == 0
    assert busy.amplified["gc"] > 100
    assert sum(busy.amplified.values()) == busy.amplified["gc"]
    assert len(first.split()) > 5 * len(natural.split())


def test_thresholds_of_each_magnitude_are_in_force_equally_long() -> None:
    draws = Draws(7, "gc")
    drawn = [draws.lasting(Collections.FEWEST, 64) for _ in range(40_000)]
    assert min(drawn) >= Collections.FEWEST
    assert max(drawn) <= 64
    for least in (1, 2, 4, 8, 16, 32):
        lasted = sum(one for one in drawn if least <= one < 2 * least)
        assert abs(lasted / sum(drawn) - 1 / 6) < 0.05, least


def test_under_all_the_slow_knobs_have_their_turns_in_an_order_of_the_seed_and_the_others_act_all_the_time() -> None:
    assert set(Turns.NAMES) < set(KNOBS)
    orders = set()
    for seed in range(50):
        for start in (0, 4):
            on = [[knob for knob in KNOBS if Turns(seed).has(knob, start + turn + 0.5)] for turn in range(4)]
            assert all({"gc", "threads"} <= set(knobs) and len(knobs) <= 3 for knobs in on)
            assert sorted(knob for knobs in on for knob in knobs) == sorted([*KNOBS, *["gc", "threads"] * 3])
            orders.add(str(on))
    assert len(orders) == 24


# Looks a name up again and again through several turns, and tells for each whether it was the knob's own, and the milliseconds.
IN_TURN = """
import sys, time
import gevent, gevent.socket
from repro_agent import amplifier, flight, knobs, layout
knobs.Turns.TURN_S, knobs.Lookups.SHORTEST_S = 0.5, 0.2
with sys.modules["repro_agent"].operation("call"):
    pass
began = flight.record.floats[layout.H_LOAD_AT]
while time.monotonic() < began + 4:
    moments = flight.record.words[layout.H_AMPLIFIED + layout.AMPLIFIERS.index("dns")]
    was_on = amplifier.is_on("dns")
    gevent.socket.getaddrinfo("127.0.0.1", 80)
    moments = flight.record.words[layout.H_AMPLIFIED + layout.AMPLIFIERS.index("dns")] - moments
    if was_on == amplifier.is_on("dns"):
        print(int(was_on), moments)
    gevent.sleep(0.02)
"""


def test_a_knob_that_takes_turns_acts_in_its_own_alone(tmp_path: Path) -> None:
    seen, reading = allocates(tmp_path / "all", source=IN_TURN, REPRO_SEED="1", REPRO_AMPLIFY="all")
    assert set(seen.splitlines()) >= {"0 0"}
    assert set(seen.splitlines()) <= {"0 0", "1 1"}
    assert reading.amplified["dns"] > 0


# How often the collector was called while a load began that makes no natural collection due.
AT_ONCE = """
import gc, sys
from repro_agent import amplifier
gc.collect()
gc.set_threshold(100_000)
began = gc.get_stats()[0]["collections"]
with sys.modules["repro_agent"].operation("call"):
    pass
amplifier.beat()
kept = [[] for _ in range(20_000)]
print(gc.get_stats()[0]["collections"] - began)
"""


def test_the_first_collection_is_due_as_the_load_begins(tmp_path: Path) -> None:
    seen, _ = allocates(tmp_path / "gc", source=AT_ONCE, REPRO_SEED="1", REPRO_AMPLIFY="gc")
    assert int(seen) > 1


@pytest.mark.parametrize("before", ["gc.disable()", "gc.set_threshold(0)"])
def test_where_the_program_wants_no_collection_none_comes(tmp_path: Path, before: str) -> None:
    seen, reading = allocates(tmp_path / "off", before=before, REPRO_SEED="1", REPRO_AMPLIFY="gc")
    assert seen == "[]\n"
    assert reading.amplified["gc"] == 0


# Looks a name up in gevent's resolver, four times one after the other, and tells how long each took in milliseconds.
LOOKS_UP = """
import sys, time
import gevent, gevent.socket
with sys.modules["repro_agent"].operation("call"):
    pass
for _ in range(4):
    began = time.monotonic()
    gevent.socket.getaddrinfo("127.0.0.1", 80)
    print(round((time.monotonic() - began) * 1000))
"""


def test_names_resolve_later_and_the_seed_decides_by_how_much(tmp_path: Path) -> None:
    late, reading = allocates(tmp_path / "late", source=LOOKS_UP, REPRO_SEED="3", REPRO_AMPLIFY="dns")
    draws = Draws(3, "dns")
    drawn = [draws.between(Lookups.SHORTEST_S, Lookups.LONGEST_S) * 1000 for _ in range(4)]
    assert reading.amplified["dns"] == 4
    assert all(int(took) >= int(least) for took, least in zip(late.split(), drawn, strict=True))
    _, natural = allocates(tmp_path / "natural", source=LOOKS_UP, REPRO_SEED="3")
    assert natural.amplified["dns"] == 0
