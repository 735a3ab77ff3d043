"""Somebody's own locustfile, which knows nothing of this program: it is led to the run's backend whatever its boto3."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.model import TrialOptions, Verdict
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of

pytestmark = pytest.mark.timed

MINE = """
import boto3
import locust

CLIENT = boto3.client("sqs", region_name="eu-central-1")


class Mine(locust.User):
    wait_time = locust.constant(0.1)

    @locust.task
    def send(self):
        url = CLIENT.create_queue(QueueName="mine")["QueueUrl"]
        CLIENT.send_message(QueueUrl=url, MessageBody="x")
"""


@pytest.mark.registry
@pytest.mark.parametrize(
    "packages", [("locust=2.14.2", "as_of=2023-02-15"), ("locust=2.32.0", "as_of=2024-11-01", "configargparse=1.7")]
)
def test_it_is_led_to_the_backend_whether_its_boto3_reads_the_address_or_not(
    packages: tuple[str, ...], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(MINE)
    load = ("stack=none", "launch=cli", "users=3", "spawn_rate=3", "seconds=2")
    prepared = prepare(RunRequest(locustfile=mine, overrides=(*load, *packages)))
    with Session(prepared.plan, SessionOptions(TrialOptions(locustfile=mine))) as session:
        trial = session.trial(prepared.plan.cells[0], 1, tmp_path / "evidence")
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert trial.operations.ended > trial.operations.failed == 0
