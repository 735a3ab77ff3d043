"""A wake-up that looks lost for a moment is none; what is the same at rest, or every time, is one."""

from __future__ import annotations

import pytest

from repro.core.hang.dump import Lock, ParkedAt
from repro.findings import HeldBy, WaitKind
from repro.world.memory import confirmation
from repro.world.memory.confirmation import confirmed
from repro.world.memory.waits import Waits

TIMER, LOCKED = ParkedAt(WaitKind.TIMER, left_s=0.1), ParkedAt(WaitKind.SEMAPHORE, lock=80)
FREE = Lock(id=80, type="Semaphore", names=(), waiters=1, is_free=True)
HELD = Lock(id=80, type="Semaphore", names=(), waiters=1)
LOST = Waits({2: LOCKED}, {80: FREE})


class Readings:
    """Gives one after another, the last one again and again, and counts."""

    def __init__(self, *waits: Waits) -> None:
        self.left = list(waits)
        self.count = 0

    def __call__(self) -> Waits:
        self.count += 1
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmation, "BETWEEN_S", (0.0,))


def busy() -> tuple[str, ...]:
    return ()


def test_nothing_doubtful_is_read_once() -> None:
    again = Readings(Waits())
    waits = Waits({2: TIMER, 3: LOCKED}, {80: HELD})
    assert confirmed(waits, asleep=[2], again=again, rest=busy) == waits
    assert again.count == 0


def test_a_sleeper_whose_timer_is_seen_once_sleeps() -> None:
    again = Readings(Waits(), Waits(), Waits({2: TIMER}))
    assert confirmed(Waits(), asleep=[2], again=again, rest=busy).by_greenlet == {2: TIMER}
    assert again.count == 3


def test_a_lock_that_is_held_once_was_just_handed_over() -> None:
    for other in (Waits({2: LOCKED}, {80: HELD}), Waits()):  # the latter: nobody waits for it at that moment
        found = confirmed(LOST, asleep=[], again=Readings(LOST, other), rest=busy)
        assert not found.locks[80].is_free


def test_what_is_the_same_every_time_is_lost_and_so_is_what_was_read_at_rest() -> None:
    again = Readings(LOST)
    assert confirmed(LOST, asleep=[4], again=again, rest=busy) == LOST
    assert again.count == confirmation.TIMES
    again = Readings(LOST)
    assert confirmed(LOST, asleep=[4], again=again, rest=lambda: ("5",)) == LOST
    assert again.count == 1


def test_owners_that_change_are_no_circle() -> None:
    def owned(first: int, second: int) -> Waits:
        locks = {
            number: Lock(
                id=number, type="RLock", names=(), waiters=1, holder_greenlet=owner, how=HeldBy.OWNER, is_certain=True
            )
            for number, owner in ((80, first), (81, second))
        }
        return Waits({2: ParkedAt(WaitKind.SEMAPHORE, lock=81), 3: LOCKED}, locks)

    circle = owned(2, 3)
    assert confirmed(circle, asleep=[], again=Readings(circle), rest=busy) == circle
    moved = confirmed(circle, asleep=[], again=Readings(owned(5, 3)), rest=busy)
    assert [moved.locks[one].is_certain for one in (80, 81)] == [False, True]
