import json

import pytest

from repro.core.hang.dump import SCHEMA, Greenlet, Lock, ParkedAt, awaited, caller, read_dump
from repro.findings import Awaited, HeldBy, Holder, WaitKind, Who, Whom


def test_the_most_telling_name_of_a_lock_is_shown():
    names = ("_Worker._queue._mutex", "Queue._mutex", "ThreadPool.task_queue._mutex", "__main__.pool._mutex")
    assert Lock(1, "_thread.lock", names, 1).name == "ThreadPool.task_queue._mutex"
    assert Lock(1, "_thread.lock", (), 1).name == "_thread.lock"


def test_what_is_waited_for_is_kept_without_what_says_nothing():
    socket = ParkedAt(WaitKind.SOCKET, fd=8, local="127.0.0.1:9", peer="127.0.0.1:5000", direction="read", left_s=3.0)
    assert awaited(socket) == Awaited(WaitKind.SOCKET, fd=8, peer="127.0.0.1:5000", direction="read")
    native = ParkedAt(WaitKind.LOCK, type="LockType", lock=77, is_native=True, name="self._mutex")
    assert awaited(native, "pool.mutex") == Awaited(
        WaitKind.LOCK, type="LockType", is_native=True, name="self._mutex", lock="pool.mutex"
    )
    assert awaited(ParkedAt(WaitKind.EVENT, type="Event")) == Awaited(WaitKind.EVENT)
    assert awaited(None) == Awaited(WaitKind.UNKNOWN)


@pytest.mark.parametrize(
    ("run", "user", "is_hub", "who"),
    [
        ("task", 7, False, Who(Whom.USER, 7, "task")),
        ("serve", None, False, Who(Whom.GREENLET, name="serve")),
        ("", None, True, Who(Whom.GREENLET, name="Hub")),
        ("", None, False, Who(Whom.MAIN)),
    ],
)
def test_whoever_runs_in_a_thread_is_a_user_a_function_or_gevents_own(run, user, is_hub, who):
    assert caller(Greenlet(1, "Hub", run, "", user, is_hub, (), None)) == who


def test_another_document_is_refused():
    with pytest.raises(ValueError, match="repro-greenlets"):
        read_dump('{"schema": "other"}')


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        (
            {
                "greenlet": 5,
                "how": "block",
                "code": "with self.mutex",
                "file": "/l/python3.11/queue.py",
                "line": 9,
                "function": "put",
                "is_certain": True,
            },
            Holder(
                Whom.USER,
                2,
                "task",
                HeldBy.BLOCK,
                "with self.mutex",
                "queue.py",
                9,
                "put",
                is_certain=True,
            ),
        ),
        (
            {
                "thread": 8,
                "how": "acquire",
                "code": "gate.acquire()",
                "file": "/in here/a in b.py",
                "line": 7,
                "function": "take",
                "is_certain": False,
            },
            Holder(Whom.THREAD, 8, "", HeldBy.ACQUIRE, "gate.acquire()", "a in b.py", 7, "take", is_certain=False),
        ),
        (
            {"greenlet": 6, "how": "owner", "is_certain": True},
            Holder(Whom.GREENLET, name="serve"),
        ),
        (
            {"greenlet": 7, "how": "owner", "is_certain": True},
            Holder(Whom.ENDED),
        ),
        (None, None),
    ],
)
def test_what_the_agent_says_of_a_holder_is_read_into_a_record(said, holder):
    def row(number: int, user: int | None, run: str) -> dict[str, object]:
        return {"id": number, "type": "Greenlet", "state": "parked", "user": user, "is_hub": False, "run": run} | {
            "stack": None,
            "parked_on": None,
        }

    text = json.dumps(
        {
            "schema": SCHEMA, "pid": 1, "mode": "loop", "at": 1.0, "python": "3.11", "gevent": "", "greenlet": "",
            "notes": [], "frames": [], "stacks": [[]], "greenlets": [row(5, 2, "task"), row(6, None, "serve")],
            "threads": [{"ident": 8, "name": "", "is_main": True, "is_dumping": False, "greenlet": 0, "stack": 0,
                         "parked_on": None}],
            "locks": [{"id": 3, "type": "lock", "names": [], "waiters": 1, "holder": said}],
        }
    )  # fmt: skip
    dump = read_dump(text)
    assert dump.holder(dump.locks[3]) == holder
