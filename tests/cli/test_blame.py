"""``repro blame`` as it is typed: a package of our own makes a real Locust test hang, and it is named."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import click
import jsonschema
import pytest

from repro.cli import cli
from repro.errors import UsageError

pytestmark = pytest.mark.timed

LOCUSTFILE = """
import os

from locust import User, constant, task
from gevent.lock import Semaphore
import boto3
import alpha, beta

never = Semaphore(0)
CLIENT = boto3.client("sqs")
QUEUE_URL = CLIENT.get_queue_url(QueueName=os.environ["REPRO_QUEUE"])["QueueUrl"]
IS_HANGING = alpha.VERSION >= "1.2" and beta.VERSION >= "2.1"


class Sender(User):
    wait_time = constant(0.05)

    @task
    def send(self):
        CLIENT.send_message(QueueUrl=QUEUE_URL, MessageBody="x")
        if IS_HANGING:
            never.acquire()
"""
SMALL = ("users=2", "spawn_rate=2", "seconds=1", "limits.stall_after_s=1", "limits.stop_grace_s=1", "limits.beat_s=2")


def put(folder: Path, name: str, *requirements: str) -> str:
    (folder / name).write_text("\n".join(["locust", "boto3", *requirements]))
    return name


def test_a_pair_that_hangs_only_together_is_named_with_its_releases(
    index_folder, tmp_path: Path, schema, typed
) -> None:
    for package, versions in {"alpha": "1.0 1.1 1.2", "beta": "2.0 2.1", "gamma": "1.0 2.0"}.items():
        for version in versions.split():
            index_folder.add(package, version)
    good = put(tmp_path, "good.txt", "alpha==1.0", "beta==2.0", "gamma==1.0")
    bad = put(tmp_path, "bad.txt", "alpha==1.2", "beta==2.1", "gamma==2.0")
    (tmp_path / "mine.py").write_text(LOCUSTFILE)
    settings = [word for one in SMALL for word in ("--set", one)]
    words = ["blame", "known/clean", "--good", good, "--bad", bad, "--locustfile", "mine.py", *settings]
    words += ["--confidence", "0.5", "--out", "hunt"]
    done = typed(*words, "--json", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    answer = document["answer"]
    assert {one["package"]: (one["previous"], one["release"], one["together_with"]) for one in answer["packages"]} == {
        "alpha": ("1.1", "1.2", ["beta"]),
        "beta": ("2.0", "2.1", ["alpha"]),
    }, done.stderr
    assert answer["kind"] == "first-bad"
    assert len(answer["cure"]) == 1
    assert len(document["probes"]) == sum(len(cell["trials"]) for cell in document["cells"])
    assert {probe["hang_class"] for probe in document["probes"]} == {"deadlocked", None}
    again = typed(*words, "--resume", "--undo", folder=tmp_path)
    assert again.returncode == 1, again.stderr
    assert "alpha 1.2" in again.stdout
    assert again.stderr.count("forgotten") == 1
    assert again.stderr.count("clean  ") + again.stderr.count("hang (") == len(document["probes"])
    jsonschema.validate(document, dict(schema()))
    for form in ("md", "html"):
        report = typed("report", "hunt", "--format", form, "-o", f"report.{form}", folder=tmp_path)
        assert "HANGS    since alpha 1.2" in (tmp_path / f"report.{form}").read_text(), report.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no good packages were given; give one, by --good PATH"),
        (("--good", "good.txt"), "no bad packages were given; give one, by --bad PATH"),
        (("--good", "none.txt", "--bad", "good.txt"), "none.txt is not a file; give a requirements file"),
        (("--good", "good.txt", "--bad", "good.txt"), "the same"),
        (("--good", "empty.txt", "--bad", "good.txt"), "does not have boto3, which the test needs; add it"),
        (("--good-as-of", "2024-01-01", "--bad-as-of", "2024-01-01"), "the same day"),
        (("--good-as-of", "yesterday", "--bad-as-of", "2024-01-01"), "yesterday"),
        (("--good", "good.txt", "--bad", "good.txt", "--set", "client=shared,per-user"), "varies client too"),
        (("--good", "good.txt", "--bad", "good.txt", "--backend", "aws"), "real account"),
        (("--good", "good.txt", "--bad", "good.txt", "--drop", "1.0"), "add --resume"),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "good.txt")
    (tmp_path / "empty.txt").write_text("six==1.16.0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process keeps its own handlers
    with pytest.raises((UsageError, click.UsageError)) as caught:
        cli.main(["blame", *words], standalone_mode=False)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "repro-runs").exists()
