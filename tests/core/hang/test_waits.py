"""What each user waits for, and who could end it, from the stacks of a dump."""

from __future__ import annotations

import pytest

from repro.core.hang.dump import Dump, Greenlet, Lock, ParkedAt
from repro.core.hang.frames import Frame
from repro.core.hang.waits import is_stirring, parked
from repro.core.judge.samples import Parked, ParkedOn
from repro.findings import HeldBy, WaitKind


def chain(kind: str, *, certain: bool = True, circle: bool = False) -> dict[int, Parked]:
    """User 1 waits for a lock of user 2, which waits for one of user 3, which waits for ``kind``."""
    waits = {
        1: ParkedAt(WaitKind.LOCK, lock=11),
        2: ParkedAt(WaitKind.LOCK, lock=12),
        3: ParkedAt(WaitKind(kind), left_s=7.0),
    }
    if circle:
        waits[3] = ParkedAt(WaitKind.LOCK, lock=13)
    greenlets = tuple(Greenlet(n, "Greenlet", "", "parked", n, is_hub=False, stack=(), wait=waits[n]) for n in waits)
    locks = {
        10 + n: Lock(10 + n, "Semaphore", (), 1, holder_greenlet=n % 3 + 1, how=HeldBy.BLOCK, is_certain=certain)
        for n in waits
    }
    return dict(parked(Dump(1, "loop", 0.0, "", "", "", greenlets=greenlets, locks=locks)))


def test_a_chain_of_holders_leads_to_the_one_that_could_free_the_others() -> None:
    first = chain("timer")[1]
    assert (first.root, first.root_user, first.root_left_s, first.inside) == (ParkedOn.TIMER, 3, 7.0, 2)
    assert chain("socket")[2].root is ParkedOn.SOCKET
    assert chain("socket")[3].root is None
    assert {item.root for item in chain("lock", circle=True).values()} == {None}


def test_a_guessed_holder_counts_only_where_it_sleeps() -> None:
    assert chain("socket", certain=False)[1].root is None
    assert chain("timer", certain=False)[1].root is ParkedOn.TIMER


@pytest.mark.parametrize(
    ("file", "left_s", "user", "expected"),
    [
        ("/home/me/locustfile.py", 5.0, None, True),
        ("/home/me/locustfile.py", 50.0, None, False),
        ("/home/me/locustfile.py", 5.0, 3, True),
        ("/e/lib/python3.11/site-packages/locust/user/task.py", 5.0, 3, True),
        ("/e/lib/python3.11/site-packages/locust/stats.py", 2.0, None, False),
    ],
)
def test_somebody_of_the_programs_own_who_wakes_up_soon_may_wake_others(
    file: str, left_s: float, user: int | None, *, expected: bool
) -> None:
    stack = (Frame(file, 3, "f"), Frame("/e/lib/python3.11/site-packages/gevent/hub.py", 1, "sleep"))
    sleeper = Greenlet(
        1, "Greenlet", "f", "parked", user, is_hub=False, stack=stack, wait=ParkedAt(WaitKind.TIMER, left_s=left_s)
    )
    assert is_stirring(Dump(1, "loop", 0.0, "", "", "", greenlets=(sleeper,)), within_s=30.0) is expected
