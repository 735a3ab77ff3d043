"""Leaves a grandchild in a session of its own."""

import os
import sys

from planted import QueueUser  # isort: skip

import subprocess  # isort: skip  # patched by now

from locust import events, task  # isort: skip

GRANDCHILD = "import time; time.sleep(600)"
CHILD = """
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=True)
with open(sys.argv[2], "w") as file:
    file.write(str(grandchild.pid))
"""


@events.test_start.add_listener
def leave_grandchild(**_):
    path = os.path.join(os.environ.get("REPRO_TRIAL_DIR", "."), "grandchild.pid")
    subprocess.check_call([sys.executable, "-c", CHILD, GRANDCHILD, path])


class Healthy(QueueUser):
    @task
    def work(self):
        self.exchange()
