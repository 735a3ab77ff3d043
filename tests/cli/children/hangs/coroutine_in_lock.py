"""For ever: a coroutine takes a lock twice."""

import asyncio
import sys
import threading


async def main():
    lock = threading.Lock()
    lock.acquire()
    open(sys.argv[1], "w").close()
    lock.acquire()


asyncio.run(main())
