"""A script scenario that gets stuck as the environment variable STUCK says, after its event loop has turned once."""

import ctypes
import os
import threading

from gevent import monkey

native_lock = monkey.get_original("_thread", "allocate_lock")()
monkey.patch_all()

import socket  # noqa: E402

import gevent  # noqa: E402
from repro_agent import operation  # noqa: E402

lock = threading.Lock()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1000)


def hold():
    with lock:
        gevent.sleep(1000)


def want_lock():
    with operation("take"), lock:
        raise AssertionError("never")


def want_answer():
    client = socket.create_connection(listener.getsockname())
    with operation("read"):
        client.recv(1)


def want_native():
    with operation("freeze"):
        native_lock.acquire()
        native_lock.acquire()


def want_gil():
    with operation("sleep"):
        mutex = ctypes.create_string_buffer(
            256
        )  # zeroed is unlocked; a signal does not end this wait as it ends a sleep
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)


def spin():
    while True:
        pass


def poll():
    while True:
        gevent.sleep(0)


gevent.spawn(hold)
gevent.sleep(0)
wanting = {"lock": want_lock, "socket": want_answer}.get(os.environ["STUCK"], want_lock)
users = [gevent.spawn(wanting) for _ in range(int(os.environ.get("USERS", "3")))]
gevent.sleep(0.5)
with open(os.environ["REPRO_TRIAL_DIR"] + "/ready", "w"):  # noqa: PTH123  # nothing more is imported than needed
    pass
late = {"native": want_native, "gil": want_gil, "spin": spin, "poll": poll}.get(os.environ["STUCK"])
if late is not None:
    gevent.spawn(late)
gevent.joinall(users)
