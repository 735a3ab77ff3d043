"""Leaves the tasks of one asyncio program as they are after a second in a dump: python coroutines.py AGENT FILE PROGRAM."""

import _thread
import os
import sys
import time

native_sleep, start_native = time.sleep, _thread.start_new_thread
package = type(sys)("repro_agent")
package.__path__ = [sys.argv[1]]
sys.modules["repro_agent"] = package
import asyncio  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402

from repro_agent.stacks import greenlets  # noqa: E402

LONG_S = 100


async def too_few_sentinels():
    queue = asyncio.Queue()
    for item in (1, 2, None):
        queue.put_nowait(item)

    async def worker():
        while await queue.get() is not None:
            pass

    await asyncio.gather(worker(), worker(), worker())


async def locks_in_opposite_order():
    one, two = asyncio.Lock(), asyncio.Lock()

    async def take(first, second):
        async with first:
            await asyncio.sleep(0.1)
            async with second:
                pass

    await asyncio.gather(take(one, two), take(two, one))


async def lost_permit():
    permits = asyncio.Semaphore(1)

    async def call():
        await permits.acquire()  # and nobody gives it back

    await asyncio.wait([asyncio.ensure_future(call()) for _ in range(3)])


async def group_of_tasks():
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(asyncio.Event().wait())


# Programs that look like it, and can go on


async def sleeps():
    await asyncio.gather(asyncio.Event().wait(), asyncio.sleep(LONG_S))


async def gives_up():
    await asyncio.wait_for(asyncio.Event().wait(), LONG_S)


async def listens():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        await asyncio.Event().wait()


async def reads():
    mine, other = socket.socketpair()
    reader, _ = await asyncio.open_connection(sock=mine)
    await reader.read(1)
    other.close()


async def waits_for_a_signal():
    over = asyncio.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    await over.wait()


async def waits_for_a_thread():
    await asyncio.gather(asyncio.Event().wait(), asyncio.get_running_loop().run_in_executor(None, time.sleep, 5))


async def waits_for_tasks_and_a_thread():
    thread = asyncio.get_running_loop().run_in_executor(None, time.sleep, 5)
    await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait()), thread])


async def waits_for_a_bare_future():
    await asyncio.get_running_loop().create_future()


def dump_and_leave():
    native_sleep(1)
    greenlets.dump_from_thread(sys.argv[2])
    os._exit(0)


start_native(dump_and_leave, ())
asyncio.run(globals()[sys.argv[3]]())
