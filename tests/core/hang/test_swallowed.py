"""Exceptions that Python dropped are read from what interpreters really print."""

import sys
from collections import Counter

import pytest

from repro.core.hang.swallowed import last_error, last_line, last_words, swallowed
from repro.findings import Swallowed
from repro.world.processes import door

IN_FINALIZER = """
import weakref
class GreenletExit(BaseException): pass
class Owner: pass
def cleanup(): get()
def get(): raise GreenletExit
for _ in range(3):
    owner = Owner()
    weakref.finalize(owner, cleanup)
    del owner
"""
IN_DEL = """
class Owner:
    def __del__(self): raise ValueError("first line\\nsecond line")
Owner()
print("Traceback is a word", flush=True)
"""
CHAINED = """
import weakref
class Owner: pass
class GreenletExit(BaseException): pass
def cleanup():
    try: {}["x"]
    except KeyError: close()
def close(): raise GreenletExit()
owner = Owner()
weakref.finalize(owner, cleanup)
del owner
"""


def printed(code: str) -> str:
    done = door.run([sys.executable, "-c", code], limit_s=20)
    assert done.returncode == 0
    return done.stderr


def test_equal_ones_are_counted_whatever_their_addresses() -> None:
    found = swallowed(printed(IN_FINALIZER))
    assert list(found.values()) == [3]
    (one,) = found
    assert one.error.endswith("GreenletExit")
    assert one.is_greenlet_exit
    assert one.frames == ("weakref.py:__call__", "<string>:cleanup", "<string>:get")
    assert "0x" not in one.where


def test_a_message_of_several_lines_is_no_trouble() -> None:
    (one,) = swallowed(printed(IN_DEL))
    assert (one.error, one.frames, one.is_greenlet_exit) == ("ValueError", ("<string>:__del__",), False)


def test_of_a_chain_the_last_one_was_dropped() -> None:
    (one,) = swallowed(printed(CHAINED))
    assert one.is_greenlet_exit
    assert one.frames == ("weakref.py:__call__", "<string>:cleanup", "<string>:close")


LIKE_314 = """Exception ignored while finalizing file <_io.FileIO name='x'>:
OSError: [Errno 9] Bad file descriptor
Exception ignored in: 'gevent.libev.corecext.loop._run_callbacks'
Traceback (most recent call last):
  File "/home/me/.venv/lib/python3.11/site-packages/gevent/hub.py", line 5, in Hub.run
gevent.exceptions.GreenletExit
2024-03-15 INFO another line
"""


def test_heads_of_several_interpreters_and_a_cut_end() -> None:
    assert swallowed(LIKE_314) == Counter(
        [
            Swallowed("", "OSError", ()),
            Swallowed(
                "'gevent.libev.corecext.loop._run_callbacks'",
                "gevent.exceptions.GreenletExit",
                ("gevent/hub.py:run",),
            ),
        ]
    )
    (cut,) = swallowed("Exception ignored in: <x at 0x7f00>\nTraceback (most recent call last):")
    assert cut == Swallowed("<x>", "unknown", ())
    assert swallowed("nothing of the kind\nGreenletExit\n") == {}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise ValueError('a: b')", "ValueError: a: b"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("try: 1/0\nexcept ZeroDivisionError as e: raise OSError('no') from e", "OSError: no"),
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
    ],
)
def test_the_last_error_is_the_line_that_says_what_went_wrong(code: str, error: str) -> None:
    done = door.run([sys.executable, "-c", code], limit_s=20)
    assert last_error(f"a line: before\n{done.stderr}\nafter: this\n") == error


def test_of_several_tracebacks_the_last_one_counts() -> None:
    first, second = (
        f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    x\n{name}: why\n'
        for name in ("OneError", "OtherError")
    )
    assert last_error(first + "2024 INFO\n" + second) == "OtherError: why"
    assert last_error("") == last_error("Error: no traceback") == ""


ARGPARSES = "locust: error: the following arguments are required: --queue-name"
IGNORED = """Exception ignored in: <function _removeHandlerRef at 0x7fc34f83fb00>
Traceback (most recent call last):
  File "logging/__init__.py", line 855, in _removeHandlerRef
RuntimeError: greenlet is being finalized
"""


def test_what_python_ignored_is_not_why_a_program_ended() -> None:
    assert last_words(f"{ARGPARSES}\n{IGNORED}") == ARGPARSES
    died = "Traceback (most recent call last):\n  File 'a.py', line 1, in f\nKeyError: 'load'\n"
    assert last_words(f"{died}{IGNORED}") == "KeyError: 'load'"
    assert last_words(IGNORED) == "RuntimeError: greenlet is being finalized"


def test_of_pytest_the_last_failed_test_is_named_with_its_error() -> None:
    whole = "E       assert 1 == 2\nE   botocore.errorfactory.NoSuchBucket: none\n\nFAILED tests/test_a.py::test_b[x-1] - botocore…\n"
    assert last_words(whole) == "tests/test_a.py::test_b[x-1] failed: botocore.errorfactory.NoSuchBucket: none"
    assert last_words("E       assert 1 == 2\nFAILED test_a.py::test_b - assert 1 == 2\n") == (
        "test_a.py::test_b failed: assert 1 == 2"
    )
    collecting = "E   ModuleNotFoundError: No module named 'nope'\nERROR tests/test_a.py\n"
    assert last_words(collecting) == "tests/test_a.py failed: ModuleNotFoundError: No module named 'nope'"


def test_a_usage_error_of_click_is_why_a_program_ended() -> None:
    assert last_words("Usage: celery\n\nError: Invalid value for '-A': no such app\n").startswith(
        "Error: Invalid value"
    )


def test_the_last_line_is_what_a_program_said_in_words_of_its_own() -> None:
    assert last_line("Could not find 'a'. See --help.\n\n----\n") == "Could not find 'a'. See --help."
    assert last_line("") == ""
