"""Operations of greenlets that a user spawns count for that user; those of a shared pool's threads for nobody."""

import os
import subprocess
import sys
from pathlib import Path

import repro
from repro.core.judge.samples import Slot
from repro.world.collecting.flight import Fleet

BOOT = Path(repro.__file__).parent / "agent" / "boot.py"
PROGRAM = """
from gevent import monkey
monkey.patch_all()
import os
from concurrent.futures import ThreadPoolExecutor
import gevent
from gevent.pool import Pool
from repro_agent.hooks.operations import operation, watch_user

executor = ThreadPoolExecutor(1)

def call(seconds=0):
    with operation("call"):
        gevent.sleep(seconds)

def spawns():
    call()
    gevent.joinall([gevent.spawn(call) for _ in range(3)])
    gevent.spawn(lambda: gevent.spawn(call).join()).join()
    Pool(2).map(call, [0, 0])
    executor.submit(call).result()
    gevent.spawn(call, 100)
    gevent.sleep(100)

def shares():
    executor.submit(call).result()
    gevent.sleep(100)

for run in (spawns, shares):
    watch_user(gevent.spawn(run))
    gevent.sleep(0.2)
gevent.spawn(call, 100)
gevent.sleep(0.1)
os._exit(0)
"""


def slots_after(program: str, folder: Path) -> tuple[Slot, ...]:
    script = folder / "script.py"
    script.write_text(program)
    settings = {
        "PATH": os.defpath,
        "REPRO_LAUNCH": "script",
        "REPRO_LOCUSTFILE": str(script),
        "REPRO_TRIAL_DIR": str(folder),
        "REPRO_STACKS_SIGNAL": "12",
        "REPRO_SLOTS": "100",
    }
    argv = [sys.executable, str(BOOT)]
    done = subprocess.run(argv, env=settings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (reading,) = Fleet(folder).read()
    assert reading.ended == 9
    return reading.slots


def test_what_a_users_greenlets_do_is_the_users(tmp_path: Path) -> None:
    slots = slots_after(PROGRAM, tmp_path)
    spawns, shares = sorted((slot for slot in slots if slot.is_user), key=lambda slot: slot.number)
    assert (spawns.helped, shares.helped) == (6, 0)
    assert sorted(slot.owner for slot in slots if slot.busy) == [0, spawns.number]
    assert not any(slot.owner for slot in slots if slot.is_user)
