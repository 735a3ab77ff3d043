"""For ever: a query in C that never ends."""

import sqlite3
import sys

from gevent import monkey

monkey.patch_all()
import gevent


def tick():
    while True:
        gevent.sleep(0.05)


def query():
    sqlite3.connect(":memory:").execute(
        "with recursive c(x) as (select 1 union all select x+1 from c) select count(*) from c"
    ).fetchone()


users = [gevent.spawn(tick), gevent.spawn(query)]
open(sys.argv[1], "w").close()
gevent.joinall(users)
