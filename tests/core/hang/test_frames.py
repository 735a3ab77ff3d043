"""Frames are normalised alike in every environment, and threads' stacks read from what other programs print."""

import pytest

from repro.core.hang.frames import (
    Frame,
    folded,
    main_frames,
    read_debugger,
    read_faulthandler,
    shortened,
    telling,
    top_module,
)
from repro.findings import Place

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
    assert [frame.place for frame in shortened(frames)] == [
        Place("own.py", 3, "task", "client.get()"),
        Place("gevent/hub.py", 7, "switch"),
    ]
    assert shortened(frames[:2]) == (frames[1],)
    assert shortened([]) == ()


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
    ("frame", "module"),
    [
        ("urllib3/connectionpool.py:_close_pool_connections", "urllib3"),
        ("queue.py", "queue"),
        ("weakref.py:__call__", "weakref"),
    ],
)
def test_a_frame_is_of_its_top_level_module(frame, module):
    assert top_module(frame) == module
