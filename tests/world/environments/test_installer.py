"""uv is found however many environments are begun at once."""

from __future__ import annotations

import subprocess
import sys

SEVERAL = """
import sysconfig, time
from concurrent.futures import ThreadPoolExecutor
from repro.world.environments.installer import uv_path
real = sysconfig._init_posix
def slow(variables):  # as on a busy machine: the second thread asks before the first has its answer
    time.sleep(0.5)
    real(variables)
sysconfig._init_posix, sysconfig._CONFIG_VARS = slow, None
with ThreadPoolExecutor(4) as pool:
    print(len(set(pool.map(lambda _: uv_path(), range(4)))))
"""


def test_uv_is_found_by_several_threads_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", SEVERAL], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "1\n", done.stderr
