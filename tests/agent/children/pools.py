"""Leaves the pools of one program as they are after a second in a dump: python pools.py AGENT_FOLDER FILE PROGRAM."""

import _thread
import os
import sys
import time

native_sleep, start_native = time.sleep, _thread.start_new_thread
package = type(sys)("repro_agent")
package.__path__ = [sys.argv[1]]
sys.modules["repro_agent"] = package
from repro_agent.stacks import greenlets  # noqa: E402

if sys.argv[3].startswith("patched_"):
    from gevent import monkey

    monkey.patch_all()

import asyncio  # noqa: E402
import threading  # noqa: E402
from concurrent.futures import ThreadPoolExecutor, as_completed, wait  # noqa: E402
from multiprocessing.pool import ThreadPool  # noqa: E402

LONG_S = 100


def inner(*_):
    return 1


def sleep(*_):
    time.sleep(LONG_S)


# Programs whose pools can never go on. No task begins before all lie in the queue: else the first ones might get through.

gate = threading.Event()


def open_gate(*_):
    gate.set()


def executor():
    pool = ThreadPoolExecutor(4)
    results = pool.map(lambda _: gate.wait() and pool.submit(inner).result(), range(8))
    open_gate()
    list(results)


def beside_a_heartbeat():
    threading.Thread(target=lambda: [time.sleep(0.1) for _ in range(1000)], daemon=True).start()
    executor()


def patched_beside_a_heartbeat():
    beside_a_heartbeat()  # without one gevent itself notices that nothing is left to wake anybody: LoopExit


def waits_for_all():
    pool = ThreadPoolExecutor(3)
    futures = [pool.submit(lambda: gate.wait() and wait([pool.submit(inner), pool.submit(inner)])) for _ in range(6)]
    open_gate()
    wait(futures)


def as_they_complete():
    pool = ThreadPoolExecutor(2)
    futures = [pool.submit(lambda: gate.wait() and list(as_completed([pool.submit(inner)]))) for _ in range(4)]
    open_gate()
    list(as_completed(futures))


def two_pools():
    one, two = ThreadPoolExecutor(2), ThreadPoolExecutor(2)

    def outer():
        gate.wait()
        return two.submit(lambda: one.submit(inner).result()).result()

    futures = [one.submit(outer) for _ in range(4)]
    open_gate()
    wait(futures)


def thread_pool():
    pool = ThreadPool(3)
    results = pool.map_async(lambda _: gate.wait() and pool.apply(inner), range(6), chunksize=1)
    open_gate()
    results.get()


def thread_pool_in_order():
    pool = ThreadPool(2)
    results = pool.imap(lambda _: gate.wait() and list(pool.imap(inner, range(3))), range(4))
    time.sleep(0.2)
    open_gate()
    list(results)


async def _in_threads(function):
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(3))
    beat = asyncio.ensure_future(_beat())
    futures = [loop.run_in_executor(None, function, loop) for _ in range(6)]
    open_gate()
    await asyncio.gather(*futures)
    beat.cancel()


async def _beat():
    for _ in range(1000):
        await asyncio.sleep(0.1)


def coroutines():
    async def again(loop):
        return await loop.run_in_executor(None, inner)

    asyncio.run(_in_threads(lambda loop: gate.wait() and asyncio.run_coroutine_threadsafe(again(loop), loop).result()))


# Programs that look like it, and can


def long_tasks():
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(sleep, range(6)))


def waits_for_another_pool():
    one, two = ThreadPoolExecutor(2), ThreadPoolExecutor(2)
    list(one.map(lambda _: two.submit(sleep).result(), range(6)))


def one_worker_is_busy():
    pool = ThreadPoolExecutor(3)
    futures = [pool.submit(lambda: time.sleep(LONG_S))]
    futures += [pool.submit(lambda: gate.wait() and pool.submit(inner).result()) for _ in range(2)]
    open_gate()
    wait(futures)


def gives_up():
    pool = ThreadPoolExecutor(4)
    results = pool.map(lambda _: gate.wait() and pool.submit(inner).result(timeout=LONG_S), range(8))
    open_gate()
    list(results)


def somebody_may_cancel():
    pool = ThreadPoolExecutor(4)
    futures = [pool.submit(lambda: gate.wait() and pool.submit(inner).result()) for _ in range(8)]
    open_gate()
    wait(futures, timeout=LONG_S)


def thread_pool_gives_up():
    pool = ThreadPool(3)
    results = pool.map_async(lambda _: gate.wait() and pool.apply_async(inner).get(LONG_S), range(6), chunksize=1)
    open_gate()
    results.get()


def coroutines_give_up():
    async def again(loop):
        return await asyncio.wait_for(loop.run_in_executor(None, inner), LONG_S)

    asyncio.run(_in_threads(lambda loop: gate.wait() and asyncio.run_coroutine_threadsafe(again(loop), loop).result()))


def idle():
    pool = ThreadPoolExecutor(4)
    pool.submit(inner).result()
    threading.Event().wait()


def dump_and_leave():
    native_sleep(1)
    greenlets.dump_from_thread(sys.argv[2])
    os._exit(0)


start_native(dump_and_leave, ())
globals()[sys.argv[3]]()
