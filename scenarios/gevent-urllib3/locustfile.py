"""The native-lock freeze by gevent and urllib3 alone: a plain program, no Locust (launch mode ``script``).

Greenlets make connection pools, use them once, resolving a host name on the way, and drop them in a reference cycle. Few
greenlets, so that a dropped pool is still young: most collections look at young objects alone. Alone it runs with plain
``python locustfile.py`` and prints a heartbeat each half second, which stops when the process is frozen.
"""

# ruff: noqa: E402  # patching comes first
from gevent import monkey  # isort: skip

monkey.patch_all()

import gc
import os
import sys
import time

import gevent
import urllib3

try:
    from repro_agent import operation  # counts as one user's operation in a cell
except ImportError:
    from contextlib import nullcontext as operation

USERS = int(os.environ.get("REPRO_USERS") or 5)
SECONDS = float(os.environ.get("REPRO_SECONDS") or 8)
POOL_SIZE = int(os.environ.get("REPRO_POOL_SIZE") or 10)
GC_THRESHOLD = int(float(os.environ.get("REPRO_GC_THRESHOLD") or 0))
# A name, not an address: only a name goes through the thread pool of gevent's resolver, whose mutex it is about.
URL = (os.environ.get("AWS_ENDPOINT_URL_SQS") or "http://127.0.0.1:5000").replace("127.0.0.1", "localhost")


class Cyclic(urllib3.PoolManager):
    """A pool manager that only the garbage collector can free, as botocore's clients are."""

    def __init__(self, **options):
        super().__init__(**options)
        self.itself = self


def use_pools(ends):
    while time.monotonic() < ends:
        with operation("get"):
            try:
                Cyclic(maxsize=POOL_SIZE).request("GET", URL, retries=False, timeout=5.0)
            except urllib3.exceptions.HTTPError:
                gevent.sleep(0.01)


def beat(began):
    while True:
        print(f"alive after {time.monotonic() - began:.1f} s")
        gevent.sleep(0.5)


def main():
    if GC_THRESHOLD:
        gc.set_threshold(GC_THRESHOLD)
    began = time.monotonic()
    heart = gevent.spawn(beat, began)
    gevent.joinall([gevent.spawn(use_pools, began + SECONDS) for _ in range(USERS)])
    heart.kill()
    print("ended by itself")
    sys.stdout.flush()


main()
