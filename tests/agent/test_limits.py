"""What an operation may take by its client's own time-outs, as the agent writes it for the judge: real clients, a silent server."""

import sys
import time
from pathlib import Path

from repro.world.collecting.flight import Fleet
from repro.world.processes import door

CHILD = Path(__file__).parent / "children" / "waiting.py"
BOOT = Path(__file__).parents[2] / "repro" / "agent" / "boot.py"
ENDLESS = float("inf")
START_S = 30.0


def test_the_limits_of_each_client_are_seen(tmp_path: Path) -> None:
    env = {"REPRO_LAUNCH": "script", "REPRO_LOCUSTFILE": str(CHILD), "REPRO_TRIAL_DIR": str(tmp_path)}
    output = door.Output(tmp_path / "stdout.txt", tmp_path / "stderr.txt")
    child = door.start(
        [sys.executable, BOOT], env=env | {"REPRO_STACKS_SIGNAL": "12"}, cwd=tmp_path, output=output, mark="limits"
    )
    fleet = Fleet(tmp_path)
    try:
        deadline = time.monotonic() + START_S
        while not (tmp_path / "ready").exists() and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (reading,) = fleet.read()
    finally:
        child.end()
        fleet.close()
    found = [
        (slot.operation, slot.attempt_s, slot.ceiling_s) for slot in sorted(reading.slots, key=lambda slot: slot.number)
    ]
    assert found == [
        ("requests", ENDLESS, ENDLESS),
        ("requests", 30, 60),
        ("requests", 40, 43),
        ("urllib3", ENDLESS, ENDLESS),
        ("urllib3", 20, 80),
        ("urllib3", 25, 27),
        ("urllib3", 15, 15),
        ("geventhttpclient", 50, 55),
    ], output.stderr.read_text()
