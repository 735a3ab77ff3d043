"""Frames are normalised alike in every environment, and threads' stacks read from what other programs print."""

import json

import pytest

from repro.core.hang.frames import (
    Frame,
    folded,
    gil_owner,
    main_frames,
    read_debugger,
    read_faulthandler,
    shortened,
    telling,
    top_module,
)
from repro.findings import GilOwner, Place

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
        ("/srv/tool/repro/agent/hooks/clients.py", "repro_agent/hooks/clients.py"),
        ("C:\\env\\Lib\\site-packages\\urllib3\\x.py", "urllib3/x.py"),
        ("/home/me/load/locustfile.py", "locustfile.py"),
        ("/var/repro-x1/0123456789ab-2-q_7/folder/load/setup.py", "load/setup.py"),
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


def debugged(*frames: tuple[str, int, str, str | None], ident: int = 7, name: str | None = None) -> str:
    """A thread that holds the GIL, as py-spy tells of it: name, line, file and library of each frame, the innermost first."""
    rows = [
        {"name": function, "line": line, "filename": file, "module": library}
        for function, line, file, library in frames
    ]
    return json.dumps([{"os_thread_id": ident, "owns_gil": True, "thread_name": name, "frames": rows}])


def test_the_owner_of_the_gil_is_told_with_its_line_and_the_c_function_that_has_a_name():
    libc, python = "/usr/lib/libc.so.6", "/usr/lib/libpython3.11.so.1.0"
    text = debugged(
        ("0x7f1b", 0, libc, libc), ("match", 0, python, python), ("call", 943, "call.c", python), ("work", 18, "/w/mine.py", None)
    )  # fmt: skip
    place = Place("mine.py", 18, "work")
    owner = GilOwner(is_main=True, place=place, function="match", library="libpython3.11.so.1.0")
    assert gil_owner(read_debugger(text), pid=7) == owner
    other = debugged(("work", 18, "/w/mine.py", None), name="worker")
    assert gil_owner(read_debugger(other), pid=1) == GilOwner(is_main=False, thread="worker", place=place)


def test_no_owner_of_the_gil_is_told_where_nobody_holds_it_or_the_agent_runs_again():
    text = debugged(("_read", 138, "/x/repro/agent/stacks/sources.py", None))
    assert gil_owner(read_debugger(text), pid=7) is None
    assert gil_owner(read_debugger(text.replace("true", "false").replace("/x/repro/agent/", "/w/")), pid=7) is None


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
