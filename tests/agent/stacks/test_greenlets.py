"""What the agent writes of greenlets, from real processes in every state that it must tell apart."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.core.hang.dump import Dump, read_dump
from repro.core.hang.groups import View, blocked_main, native_call, native_holder
from repro.core.hang.waits import SocketState, parked
from repro.core.judge.samples import ParkedOn
from repro.findings import Whom
from repro.world.processes import door

CHILD = Path(__file__).parents[1] / "children" / "parked.py"
AGENT = Path(__file__).parents[3] / "repro" / "agent"
KINDS = {
    "want_bytes": "socket",
    "want_bytes_for_a_time": "socket",
    "want_event": "event",
    "want_event_for_a_time": "event",
    "want_gevent_item": "queue",
    "want_greenlet": "greenlet",
    "want_greenlets": "greenlet",
    "want_lock": "lock",
    "want_nothing": "nothing",
    "want_notice": "event",
    "want_readable": "socket",
    "want_reentrant": "lock",
    "want_semaphore": "semaphore",
    "want_thread": "thread",
    "want_time": "timer",
    "want_to_connect": "socket",
}
HAVE_TIMEOUT = {"want_bytes_for_a_time", "want_event_for_a_time", "want_readable", "want_time"}
PAIRS = [
    ("3.8", "gevent==20.12.1", "greenlet==0.4.17"),
    ("3.11", "gevent==24.2.1", "greenlet==3.0.3"),
    ("3.13", "gevent"),
]
MODES = ("loop", "thread")


def dumps(interpreter: Path | str, folder: Path, *, users: int = 0) -> dict[str, Dump]:
    done = door.run([interpreter, CHILD, AGENT, folder, str(users)], env={}, cwd=folder, limit_s=60)
    assert done.returncode == 0, done.stderr
    return {mode: read_dump((folder / f"{mode}.json").read_text()) for mode in MODES}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dump]:
    return dumps(sys.executable, tmp_path_factory.mktemp("own"))


def check_kinds(dump: Dump) -> None:
    found = {item.run: item.wait for item in dump.greenlets if item.user is not None and item.wait}
    assert {name: wait.kind for name, wait in found.items() if name in KINDS} == KINDS
    assert found["want_item"].kind in {"queue", "event"}  # gevent's own queue since 25.4.1, a condition before
    assert {name for name, wait in found.items() if wait.has_timeout} == HAVE_TIMEOUT


def check_holders(dump: Dump) -> None:
    by_run = {item.run: item for item in dump.greenlets}
    for run, name, certain in (("want_lock", "Pool.mutex", True), ("want_reentrant", "_block", True)):
        lock = dump.locks[by_run[run].wait.lock]
        assert lock.name.endswith(name)
        assert (lock.holder_greenlet, lock.is_certain) == (by_run["hold"].id, certain)
    semaphore = dump.locks[by_run["want_semaphore"].wait.lock]
    assert (semaphore.holder_greenlet, semaphore.is_certain) == (by_run["hold"].id, False)
    holder = dump.holder(semaphore)
    assert holder is not None
    assert not holder.is_certain


def check_frozen(dump: Dump) -> None:
    blocked = blocked_main([View(dump, ())])
    assert blocked is not None
    at = native_call(*blocked)
    assert (at.place.file, at.place.function.rpartition(".")[2]) == ("gevent/_threading.py", "put")
    assert "task_queue._mutex" in at.wait.lock
    holder = native_holder(*blocked)
    assert holder is not None
    assert (holder.whom, holder.name) == (Whom.GREENLET, "hold_natively")


@pytest.mark.parametrize("mode", MODES)
def test_each_greenlet_says_what_it_is_parked_on(own: dict[str, Dump], mode: str) -> None:
    check_kinds(own[mode])


@pytest.mark.parametrize("mode", MODES)
def test_a_lock_names_its_holder(own: dict[str, Dump], mode: str) -> None:
    check_holders(own[mode])


def test_the_thread_shows_a_frozen_main_thread_and_who_holds_its_lock(own: dict[str, Dump]) -> None:
    check_frozen(own["thread"])
    assert blocked_main([View(own["loop"], ())]) is None


def test_sockets_say_their_peer_and_direction(own: dict[str, Dump]) -> None:
    waits = {item.run: item.wait for item in own["loop"].greenlets}
    assert waits["want_bytes"].direction == "read"
    assert waits["want_bytes"].peer == waits["want_to_connect"].local


def test_the_judge_gets_a_record_for_each_user(own: dict[str, Dump]) -> None:
    dump = own["loop"]
    numbers = {item.run: item.user for item in dump.greenlets}
    unread_fd = next(item.wait.fd for item in dump.greenlets if item.run == "want_bytes")
    records = parked(dump, {unread_fd: SocketState(unread=7)})
    assert records[numbers["want_bytes"]].unread
    assert not records[numbers["want_bytes_for_a_time"]].unread
    assert records[numbers["want_lock"]].on is ParkedOn.LOCK
    assert records[numbers["want_nothing"]].on is ParkedOn.NOTHING
    assert records[numbers["want_thread"]].on is ParkedOn.ELSEWHERE


def test_importing_it_brings_in_nothing_that_could_be_patched(tmp_path: Path) -> None:
    dumps(sys.executable, tmp_path)
    brought = (tmp_path / "brought.txt").read_text().split()
    assert all(name.startswith(("repro_agent.", "gc")) for name in brought), brought


def test_two_hundred_users_are_written_soon_and_small(tmp_path: Path) -> None:
    found = dumps(sys.executable, tmp_path, users=200)
    assert max(item.user or 0 for item in found["loop"].greenlets) > 200
    assert max(lock.waiters for lock in found["thread"].locks.values()) == 201
    assert sum(path.stat().st_size for path in tmp_path.glob("*.json")) < 1_000_000
    assert not any(dump.notes for dump in found.values())  # no limit was reached


@pytest.mark.registry
@pytest.mark.parametrize("pair", PAIRS)
def test_it_works_on_the_oldest_and_the_newest_pairs(
    tmp_path: Path, pair: tuple[str, ...], environment_with: Callable[..., Path]
) -> None:
    found = dumps(environment_with(*pair), tmp_path)
    for dump in found.values():
        check_kinds(dump)
        check_holders(dump)
    check_frozen(found["thread"])
