"""Parks one greenlet on each kind of thing, writes the dump from the loop, then freezes and lets the thread write it.

python parked.py AGENT_FOLDER OUTPUT_FOLDER [USERS]
"""

import _thread
import os
import sys
import time

native_sleep, start_native = time.sleep, _thread.start_new_thread
package = type(sys)("repro_agent")
package.__path__ = [sys.argv[1]]
sys.modules["repro_agent"] = package
before = set(sys.modules)
from repro_agent.stacks import greenlets  # noqa: E402

brought = sorted(set(sys.modules) - before)

from gevent import monkey  # noqa: E402

monkey.patch_all()

import queue  # noqa: E402
import select  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402

import gevent  # noqa: E402
import gevent.event  # noqa: E402
import gevent.lock  # noqa: E402
import gevent.queue  # noqa: E402

folder = sys.argv[2]
many = int(sys.argv[3]) if len(sys.argv) > 3 else 0


class Pool:
    def __init__(self):
        self.mutex = threading.Lock()


pool, reentrant, std_queue, condition = Pool(), threading.RLock(), queue.Queue(), threading.Condition()
event, semaphore, gevent_queue = gevent.event.Event(), gevent.lock.BoundedSemaphore(1), gevent.queue.Queue()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
client = socket.create_connection(listener.getsockname())
pair = socket.socketpair()


def hold():
    with pool.mutex:
        reentrant.acquire()
        semaphore.acquire()
        gevent.sleep(1000)


def want_lock():
    with pool.mutex:
        raise AssertionError("never")


def want_reentrant():
    with reentrant:
        raise AssertionError("never")


def want_semaphore():
    semaphore.acquire()


def want_item():
    std_queue.get()


def want_gevent_item():
    gevent_queue.get()


def want_event():
    event.wait()


def want_event_for_a_time():
    event.wait(500)


def want_bytes():
    client.recv(1)


def want_bytes_for_a_time():
    with gevent.Timeout(500):
        client2.recv(1)


def want_to_connect():
    listener.accept()


def want_readable():
    select.select([pair[0]], [], [], 500)


def want_time():
    gevent.sleep(500)


def want_greenlets():
    gevent.joinall([gevent.spawn(gevent.sleep, 1000) for _ in range(2)])


def want_greenlet():
    holder.join()


def want_notice():
    with condition:
        condition.wait()


def want_thread():
    gevent.get_hub().threadpool.apply(native_sleep, (30,))


def want_nothing():
    gevent.get_hub().switch()


accepted = listener.accept()
client2 = socket.create_connection(listener.getsockname())
accepted2 = listener.accept()
holder = gevent.spawn(hold)
gevent.sleep(0)
wanting = [item for name, item in sorted(globals().items()) if name.startswith("want_")]
numbers = {}
spawned = []
for number, function in enumerate(wanting + [want_lock] * many, 1):
    spawned.append(gevent.spawn(function))
    numbers[id(spawned[-1])] = number
gevent.sleep(0.2)


def slot_of(greenlet):
    return numbers.get(id(greenlet))


timer = gevent.get_hub().loop.timer(0.001)
timer.start(lambda: greenlets.dump_from_loop(folder + "/loop.json", slot_of=slot_of))
gevent.sleep(0.1)

tasks = gevent.get_hub().threadpool.task_queue


def hold_natively():
    with tasks._mutex:
        gevent.sleep(1000)


def dump_and_leave():
    native_sleep(0.3)
    greenlets.dump_from_thread(folder + "/thread.json", slot_of=slot_of)
    with open(folder + "/brought.txt", "w") as file:  # noqa: PTH123  # pathlib would be one more import
        file.write(" ".join(brought))
    os._exit(0)


gevent.spawn(hold_natively)
gevent.sleep(0)
start_native(dump_and_leave, ())
tasks.put(None)
