"""``rounds`` and ``amplify=stop``: who waits for ever is not stopped, for the stop would end it before it is seen."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT_S = 120
RUNNER = """
class Runner:
    state, user_classes_count = "running", {"User": 3}

    def __init__(self, users):
        self.users, self.stopped, self.user_greenlets = users, 0, []
        self.spawn_users(None)

    @property
    def user_count(self):
        return len(self.user_greenlets)

    def spawn_users(self, counts, wait=False):
        self.user_greenlets = [gevent.spawn(user) for user in self.users]

    def stop_users(self, counts):
        self.stopped += 1
        gevent.killall(self.user_greenlets)
        self.user_greenlets = []
"""
# Three users: one is between two tasks for long, one goes on all the time, and one waits in the way that is asked for
# until it is let go.
USERS = """
import itertools
import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.queue import Queue
from gevent import socket
from repro.agent.knobs import Stops


{runner}


def goes_on():
    for number in itertools.count():
        event = Event()
        gevent.spawn_later(0.001, event.set)
        event.wait()
        done[gevent.getcurrent()] = 1 + number


def poll():
    while not event.is_set():
        gevent.sleep(0.001)


event, lock, queue, pair = Event(), BoundedSemaphore(), Queue(), socket.socketpair()
lock.acquire()
never_ends = Event()
waits, let_go = {{
    "event": (event.wait, event.set),
    "lock": (lock.acquire, lock.release),
    "queue": (queue.get, lambda: queue.put(1)),
    "answer": (lambda: pair[0].recv(1), lambda: pair[1].send(b"x")),
    "child": (lambda: gevent.spawn(event.wait).join(), event.set),
    "poll": (poll, event.set),
}}["{way}"]
exec(compile("def between(): gevent.sleep(100)", "any/locust/user/task.py", "exec"))


def hangs():
    waits()
    while True:
        goes_on()


done = {{}}
runner = Runner([between, goes_on, hangs])
stops = Stops(lambda: 0.01, lambda: None, progress_of=lambda greenlet: done.get(greenlet, {known}))
running = gevent.spawn(stops.run, runner, lambda: not never_ends.is_set(), None)
gevent.sleep(0.3)
while not max(done.values()) > 20:
    gevent.sleep(0.01)
before = runner.stopped
let_go()
while runner.stopped == before:
    gevent.sleep(0.01)
print(before, runner.stopped > before)
"""


@pytest.mark.parametrize(
    ("way", "known"),
    [*((way, "None") for way in ("event", "lock", "queue", "answer", "child")), ("event", "1"), ("poll", "1")],
)
def test_a_user_that_waits_for_ever_is_not_stopped_and_one_between_tasks_or_that_goes_on_is(
    way: str, known: str
) -> None:
    argv = [sys.executable, "-c", USERS.format(runner=RUNNER, way=way, known=known)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.stdout == "0 True\n", done.stderr


# Two users go on until they are told to wait: one keeps a stop off, the other goes on once it is due and hangs then. The
# first goes on; only the second's being let go ends the stop's being put off.
LATER = """
import gevent
from gevent.event import Event
from repro.agent.knobs import Stops

{runner}
done, is_due, slow_may, hung_may, has_hung = [0, 0], Event(), Event(), Event(), Event()


def work(number, is_first_due, then):
    while True:
        gevent.sleep(0.001)
        done[number] += 1
        if is_due.is_set() and not then.is_set():
            is_first_due()
            then.wait()


def hangs():
    gevent.sleep(0.05)  # it goes on after the stop was due, and only then it hangs
    done[1] += 1
    has_hung.set()


def due():
    is_due.set()
    gevent.sleep(0.01)
    return 0.0


users = [lambda: work(0, lambda: None, slow_may), lambda: work(1, hangs, hung_may)]
runner = Runner(users)
numbers = {{id(greenlet): number for number, greenlet in enumerate(runner.user_greenlets)}}
stops = Stops(due, lambda: None, progress_of=lambda greenlet: 1 + done[numbers.get(id(greenlet), 0)])
gevent.spawn(stops.run, runner, lambda: True, None)
has_hung.wait()
gevent.sleep(0.2)
slow_may.set()
before = done[0]
while done[0] < before + 100:
    gevent.sleep(0.01)
kept_off = runner.stopped
hung_may.set()
while not runner.stopped:
    gevent.sleep(0.01)
print(kept_off, runner.stopped > 0)
"""


def test_a_user_that_hangs_after_a_stop_was_due_and_before_it_came_is_not_stopped() -> None:
    argv = [sys.executable, "-c", LATER.format(runner=RUNNER)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.stdout == "0 True\n", done.stderr
