import json

import pytest

from repro.core.hang.dump import (
    SCHEMA,
    Frame,
    Lock,
    ParkedAt,
    folded,
    holder_in_words,
    in_words,
    read_dump,
    shorten,
    telling,
)
from repro.core.hang.traces import main_frames, read_debugger, read_faulthandler
from repro.core.judge.samples import HeldBy, Holder, Whom

FAULTS = """Thread 0x00007f1 (most recent call first):
  File "/a/watch.py", line 71 in _beat

Current thread 0x00007f2 (most recent call first):
  File "/a/old.py", line 1 in old
Thread 0x00007f1 (most recent call first):
  File "/a/watch.py", line 71 in _beat

Current thread 0x00007f2 [python] (most recent call first):
  File "/a/new.py", line 42 in inner
  File "/a/new.py", line ??? in outer
"""


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/home/me/.venv/lib/python3.11/site-packages/urllib3/connectionpool.py", "urllib3/connectionpool.py"),
        ("/usr/lib/python3/dist-packages/urllib3/connectionpool.py", "urllib3/connectionpool.py"),
        ("/opt/py/lib/python3.13t/queue.py", "queue.py"),
        ("/opt/py/lib/python3.8/http/client.py", "http/client.py"),
        ("/srv/tool/repro/agent/hooks.py", "repro_agent/hooks.py"),
        ("C:\\env\\Lib\\site-packages\\urllib3\\x.py", "urllib3/x.py"),
        ("/home/me/load/locustfile.py", "locustfile.py"),
        ("<string at 0x7f00>", "<string at 0x…>"),
    ],
)
def test_a_path_keeps_only_what_every_environment_shares(path, short):
    assert folded(path) == short


def test_a_qualified_and_a_bare_function_are_one():
    assert Frame("/l/python3.11/queue.py", 1, "Queue.get").normalised.endswith(":get")
    assert Frame("q.py", 5, "Queue.get").normalised == Frame("q.py", 9, "get").normalised


def test_people_see_their_own_frames_and_the_innermost():
    frames = [Frame("/x/lib/python3.11/threading.py", 9, "run"), Frame("/me/own.py", 3, "task", "client.get()")]
    frames += [Frame("/x/site-packages/gevent/hub.py", 7, "switch")]
    assert [frame.function for frame in telling(frames)] == ["task"]
    assert shorten(frames) == "…\nown.py:3 task  client.get()\ngevent/hub.py:7 switch"


def test_the_most_telling_name_of_a_lock_is_shown():
    names = ("_Worker._queue._mutex", "Queue._mutex", "ThreadPool.task_queue._mutex", "__main__.pool._mutex")
    assert Lock(1, "_thread.lock", names, 1).name == "ThreadPool.task_queue._mutex"
    assert Lock(1, "_thread.lock", (), 1).name == "_thread.lock"


def test_a_wait_is_said_in_words():
    socket = ParkedAt("socket", fd=8, peer="127.0.0.1:5000", direction="read")
    assert in_words(socket) == "socket 8 to 127.0.0.1:5000, to read"
    assert (
        in_words(ParkedAt("lock", type="LockType", is_native=True, name="self._mutex"))
        == "native lock LockType self._mutex"
    )
    assert in_words(None) == "unknown"


def test_another_document_is_refused():
    with pytest.raises(ValueError, match="repro-greenlets"):
        read_dump('{"schema": "other"}')


def test_the_last_dump_of_faulthandler_counts():
    traces = read_faulthandler(FAULTS)
    assert [trace.is_current for trace in traces] == [False, True]
    assert [(frame.function, frame.line) for frame in main_frames(traces, 1)] == [("outer", 0), ("inner", 42)]
    assert read_faulthandler("") == ()


def test_the_main_thread_of_a_debugger_is_the_one_with_the_process_id():
    row = '{"os_thread_id": %d, "owns_gil": %s, "frames": [{"filename": "a.py", "line": 3, "name": "%s"}]}'
    traces = read_debugger(f"[{row % (8, 'false', 'other')}, {row % (7, 'true', 'mine')}]")
    assert main_frames(traces, 7)[0].function == "mine"
    assert [trace.holds_gil for trace in traces] == [False, True]
    with pytest.raises(ValueError, match="py-spy"):
        read_debugger('{"a": 1}')


@pytest.mark.parametrize(
    ("said", "holder", "words"),
    [
        (
            {"greenlet": 5, "how": "with self.mutex", "where": "/l/python3.11/queue.py:9 in put", "is_certain": True},
            Holder(
                Whom.USER,
                2,
                "task",
                HeldBy.BLOCK,
                "with self.mutex",
                "/l/python3.11/queue.py",
                9,
                "put",
                is_certain=True,
            ),
            "user 2 (it stands in `with self.mutex` at queue.py:9 in put)",
        ),
        (
            {"thread": 8, "how": "gate.acquire()", "where": "/in here/a in b.py:7 in take", "is_certain": False},
            Holder(
                Whom.THREAD, 8, "", HeldBy.ACQUIRE, "gate.acquire()", "/in here/a in b.py", 7, "take", is_certain=False
            ),
            "thread 8 (by `gate.acquire()` at a in b.py:7 in take)",
        ),
        (
            {"greenlet": 6, "how": "owner", "is_certain": True},
            Holder(Whom.GREENLET, name="serve"),
            "the greenlet of serve (the lock names it)",
        ),
        (
            {"greenlet": 7, "how": "owner", "is_certain": True},
            Holder(Whom.ENDED),
            "one that has ended (the lock names it)",
        ),
        (None, None, ""),
    ],
)
def test_what_the_agent_says_of_a_holder_is_read_into_a_record(said, holder, words):
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
    found = dump.holder(dump.locks[3])
    assert found == holder
    assert (holder_in_words(found) if found else "") == words
