"""Deadlocked: a wake-up is lost, the answer lies unread in the socket."""

import os

from planted import QueueUser  # isort: skip

import gevent  # isort: skip
import requests  # isort: skip
from gevent import monkey, socket  # isort: skip
from locust import task  # isort: skip

ROUND = 2
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
epoll = monkey.get_original("select", "epoll")


def answer_late():
    connection, address = listener.accept()
    connection.recv(65536)
    gevent.sleep(0.5)
    forget(address[1])
    connection.sendall(ANSWER)
    gevent.sleep(3600)


def forget(port):
    """Take the socket with this local port out of the event loop's set, which the loop does not notice."""
    loop = gevent.get_hub().loop
    for name in os.listdir("/proc/self/fd"):
        try:
            other = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue  # not a socket, or gone by now
        with other:
            is_it = other.family == socket.AF_INET and other.getsockname()[1] == port
        if is_it:
            kernel_set = epoll.fromfd(os.dup(loop.fileno()))
            kernel_set.unregister(int(name))
            kernel_set.close()


class Asking(QueueUser):
    @task
    def work(self):
        self.rounds += 1
        if self.number == 0 and self.rounds == ROUND:
            gevent.spawn(answer_late)
            requests.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")  # without a time-out: that is the truth
        self.exchange()
