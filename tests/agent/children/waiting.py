"""A script scenario whose greenlets wait for a server that never answers, each by another client or with other time-outs."""

import os

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402

import gevent  # noqa: E402
import geventhttpclient.useragent  # noqa: E402
import requests  # noqa: E402
import urllib3  # noqa: E402

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(100)
URL = f"http://127.0.0.1:{listener.getsockname()[1]}/"

waiting = [
    lambda: requests.get(URL),  # noqa: S113  # no time-out is what is tried
    lambda: requests.get(URL, timeout=30),
    lambda: requests.get(URL, timeout=(3, 40)),
    lambda: urllib3.PoolManager().request("GET", URL),
    lambda: urllib3.PoolManager(timeout=20, retries=1).request("GET", URL),
    lambda: urllib3.PoolManager().request("GET", URL, timeout=urllib3.Timeout(connect=2, read=25), retries=False),
    lambda: urllib3.PoolManager().request("GET", URL, timeout=urllib3.Timeout(total=15), retries=0),
    lambda: geventhttpclient.useragent.UserAgent(network_timeout=50, connection_timeout=5, max_retries=0).urlopen(URL),
]
greenlets = []
for wait in waiting:  # one after another: the numbers of their slots are the order
    greenlets.append(gevent.spawn(wait))
    gevent.sleep(0.1)
with open(os.environ["REPRO_TRIAL_DIR"] + "/ready", "w"):  # noqa: PTH123  # nothing more is imported than needed
    pass
gevent.joinall(greenlets)
