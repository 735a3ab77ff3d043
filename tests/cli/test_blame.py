"""``repro blame`` as it is typed: a package of our own makes a real Locust test hang, and it is named; bad input is one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from repro.presentation.document import schema

LIMIT_S = 220
LOCUSTFILE = """
import os

from locust import User, constant, task
from gevent.lock import Semaphore
import boto3
import alpha

never = Semaphore(0)
CLIENT = boto3.client("sqs")
QUEUE_URL = CLIENT.get_queue_url(QueueName=os.environ["REPRO_QUEUE"])["QueueUrl"]


class Sender(User):
    wait_time = constant(0.05)

    @task
    def send(self):
        CLIENT.send_message(QueueUrl=QUEUE_URL, MessageBody="x")
        if alpha.VERSION >= "1.2":
            never.acquire()
"""
SMALL = ("users=3", "spawn_rate=3", "seconds=2", "limits.stall_after_s=1", "limits.stop_grace_s=2", "limits.beat_s=2")


def repro(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "repro", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def put(folder: Path, name: str, *requirements: str) -> str:
    (folder / name).write_text("\n".join(["locust==2.32.0", "boto3==1.35.0", "configargparse==1.7", *requirements]))
    return name


def test_the_package_and_its_release_are_named(more_packages, tmp_path: Path) -> None:
    for version in ("1.0", "1.1", "1.2"):
        more_packages.add("alpha", version)
    more_packages.add("beta", "1.0")
    more_packages.add("beta", "2.0")
    good, bad = (
        put(tmp_path, "good.txt", "alpha==1.0", "beta==1.0"),
        put(tmp_path, "bad.txt", "alpha==1.2", "beta==2.0"),
    )
    (tmp_path / "mine.py").write_text(LOCUSTFILE)
    settings = [word for one in SMALL for word in ("--set", one)]
    words = ["blame", "--good", good, "--bad", bad, "--locustfile", "mine.py", *settings, "--confidence", "0.7"]
    done = repro(*words, "--out", "hunt", "--json", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    (one,) = document["answer"]["packages"]
    assert (document["answer"]["kind"], one["package"], one["release"], one["previous"]) == (
        "first-bad",
        "alpha",
        "1.2",
        "1.1",
    )
    assert document["answer"]["cure"] == [{"package": "alpha", "release": "1.0"}]
    assert len(document["probes"]) == sum(len(cell["trials"]) for cell in document["cells"])
    assert {probe["hang_class"] for probe in document["probes"]} == {"deadlocked", None}
    again = repro(*words, "--out", "hunt", "--resume", folder=tmp_path)
    assert again.returncode == 1, again.stderr
    assert "alpha 1.2" in again.stdout
    jsonschema.validate(document, dict(schema()))
    for form in ("md", "html"):
        report = repro("report", "hunt", "--format", form, "-o", f"report.{form}", folder=tmp_path)
        assert "it hangs since alpha 1.2" in (tmp_path / f"report.{form}").read_text(), report.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what the good packages are"),
        (("--good", "good.txt"), "say what the bad packages are"),
        (("--good", "none.txt", "--bad", "good.txt"), "none.txt: give a requirements file"),
        (("--good", "good.txt", "--bad", "good.txt"), "the same"),
        (("--good", "empty.txt", "--bad", "good.txt"), "lacks"),
        (("--good-as-of", "2024-01-01", "--bad-as-of", "2024-01-01"), "the same day"),
        (("--good-as-of", "yesterday", "--bad-as-of", "2024-01-01"), "yesterday"),
        (("--good", "good.txt", "--bad", "good.txt", "--set", "client=shared,per-user"), "varies client too"),
        (("--good", "good.txt", "--bad", "good.txt", "--backend", "aws"), "real account"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    put(tmp_path, "good.txt")
    (tmp_path / "empty.txt").write_text("six==1.16.0\n")
    done = repro("blame", *words, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "repro-runs").exists()
