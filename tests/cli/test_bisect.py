"""``repro bisect`` as it is typed: a package of our own, in the only index, makes a real Locust test hang."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest

from repro.cli import cli
from repro.cli.bisect import BisectOptions, _command
from repro.errors import ExitCode, ReproError, StoreError
from repro.model import Cell, EnvironmentSpec, Trial
from repro.world.runs.store import read_run

pytestmark = pytest.mark.timed

LIMIT_S = 500
NOWHERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
LOCUSTFILE = """
import os, random

from locust import User, constant, task
from gevent.lock import Semaphore
import boto3
import planted

never = Semaphore(0)
CLIENT = boto3.client("sqs")
QUEUE_URL = CLIENT.get_queue_url(QueueName=os.environ["REPRO_QUEUE"])["QueueUrl"]
IS_BAD = int(planted.VERSION.partition(".")[2]) >= 18
IS_HANGING = IS_BAD and random.Random(planted.VERSION + os.environ["REPRO_SEED"]).random() < RATE


class Sender(User):
    wait_time = constant(0.05)

    @task
    def send(self):
        CLIENT.send_message(QueueUrl=QUEUE_URL, MessageBody="x")
        if IS_HANGING:
            never.acquire()
"""
EXPERIMENT = """
scenario = "mine.py"

[settings]
users = 2
spawn_rate = 2
seconds = 2

[limits]
stall_after_s = 1
stop_grace_s = 1
beat_s = 2
"""
NARROW = ("--good", "1.14", "--bad", "1.22", "--confidence", "0.8", "--jobs", "2")


@pytest.fixture
def planted(index_folder, tmp_path: Path) -> Callable[[float], list[str]]:
    """32 releases of which the 18th and later hang, in the index; gives the words of a hunt at a rate."""
    for number in range(1, 33):
        index_folder.add("planted", f"1.{number}")

    def words(rate: float) -> list[str]:
        (tmp_path / "mine.py").write_text(LOCUSTFILE.replace("RATE", str(rate)))
        (tmp_path / "mine.toml").write_text(EXPERIMENT)
        return ["bisect", "planted", "mine.toml", "--out", "hunt"]

    return words


def repro(*words: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "repro", *words],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def trials_of(folder: Path) -> list[Trial]:
    with suppress(StoreError):  # it is being made
        return [trial for cell in read_run(folder).cells for trial in cell.trials]
    return []


def test_a_hang_in_three_of_ten_trials_is_found_among_32_releases(planted, tmp_path: Path, schema) -> None:
    done = repro(*planted(0.3), "--confidence", "0.8", "--seed", "8", "--jobs", "1", "--json", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, dict(schema()))
    answer = document["answer"]
    assert (answer["kind"], answer["package"]) == ("first-bad", "planted")
    assert (answer["release"], answer["previous"]) == ("1.18", "1.17"), done.stderr
    assert answer["confidence"] >= 0.8
    assert sum(rate["n"] for rate in answer["trials"].values()) == sum(probe["counts"] for probe in document["probes"])
    assert {probe["hang_class"] for probe in document["probes"]} == {"deadlocked", None}
    later = [rate for release, rate in answer["trials"].items() if int(release.partition(".")[2]) >= 18]
    assert 0 < sum(rate["hits"] for rate in later) < sum(rate["n"] for rate in later)


def test_a_killed_hunt_goes_on_and_its_probes_can_be_forgotten(planted, tmp_path: Path) -> None:
    words = [*planted(1.0), *NARROW]
    hunt = tmp_path / "hunt"
    with subprocess.Popen([sys.executable, "-m", "repro", *words], cwd=tmp_path, stderr=subprocess.DEVNULL) as program:
        deadline = time.monotonic() + LIMIT_S
        while len(trials_of(hunt)) < 2:
            assert time.monotonic() < deadline, "it made no two probes"
            time.sleep(0.2)
        program.kill()
    before = {(trial.cell_id, trial.number): trial.started for trial in trials_of(hunt)}
    other = repro(*words, "--find", "fixed", "--resume", folder=tmp_path)
    assert (other.returncode, "belongs to another hunt" in other.stderr) == (2, True), other.stderr

    last = max(before, key=before.__getitem__)
    done = repro(*words, "--resume", "--undo", "--log", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "HANGS    since planted 1.18; 1.17 does not" in done.stdout
    assert done.stderr.count("forgotten") == 1
    assert done.stdout.count("repro run mine.toml") == len(trials_of(hunt))
    after = {(trial.cell_id, trial.number): trial.started for trial in trials_of(hunt)}
    assert all(after[key] == started for key, started in before.items() if key != last)
    assert after.get(last) != before[last]

    count = len(after)
    again = repro(*words, "--jobs", "1", "--resume", "--drop", "1.18/1", "--json", folder=tmp_path, **NOWHERE)
    assert again.returncode == 1, again.stderr
    assert json.loads(again.stdout)["answer"]["release"] == "1.18"
    assert len(trials_of(hunt)) == count
    cold = repro(*words, "--resume", "--drop", "1.18", "--json", folder=tmp_path, REPRO_CACHE_DIR="cold", **NOWHERE)
    assert cold.returncode == 3
    assert "Error: the package index cannot be reached" in cold.stderr
    assert f"{count - 2} probes are kept; go on with: repro bisect planted mine.toml" in cold.stderr
    assert json.loads(cold.stdout)["answer"]["kind"] == "unknown"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to bisect was given"),
        (("nothing-such", "mine.toml"), "the package index does not have 'nothing-such'; check its name"),
        (("planted", "known/clean"), "planted is not used by known/clean"),
        (("planted", "locust-2638"), "unknown experiment 'locust-2638'; did you mean locust-2637"),
        (("planted", "mine.toml", "--good", "1.3", "--bad", "1.3"), "are the same release, 1.3; give two"),
        (("planted", "mine.toml", "--good", "1.9", "--bad", "1.3"), "1.9 is newer than 1.3; exchange --good and --bad"),
        (("planted", "mine.toml", "--find", "fixed", "--good", "1.3", "--bad", "1.9"), "--bad must be the older one"),
        (("planted", "mine.toml", "--good", "1.99"), "planted 1.99 cannot be tested"),
        (("planted", "mine.toml", "--good", "1.32"), "the index has no release beyond 1.32"),
        (("planted", "mine.toml", "--set", "users=1,2"), "varies users too; fix each by --set"),
        (
            ("planted", "mine.toml", "--set", "absent=1.0"),
            "no release of planted can be installed with what else was set",
        ),
        (("planted", "mine.toml", "--undo"), "add --resume"),
        (("planted", "mine.toml", "--out", "none", "--resume"), "none is not a run"),
        (("planted", "mine.toml", "--python", sys.executable), "--set python=VERSION"),
        (("planted", "mine.toml", "--backend", "aws"), "real account"),
        (("--date", "2024-03-15..2023-02-15"), "give the good day and a later bad day"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(
    words: tuple[str, ...], said: str, planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(1.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process keeps its own handlers
    with pytest.raises(ReproError) as caught:
        cli.main(["bisect", *words], standalone_mode=False)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code in {ExitCode.USAGE, ExitCode.INCONCLUSIVE, ExitCode.FAILED}
    assert not (tmp_path / "repro-runs").exists()


def test_the_command_of_a_probe_sets_the_release_as_it_must_be_typed() -> None:
    given: dict[str, object] = dict.fromkeys(BisectOptions.__dataclass_fields__)
    given |= {"experiment": "mine.toml", "overrides": ("tls=true",)}
    given |= {"queues": (), "buckets": (), "tables": (), "redirects": ()}
    options = BisectOptions(**given)  # type: ignore[arg-type]
    cell = Cell(
        id="c",
        label="user=1.18",
        scenario="s",
        factors={"user": "1.18", "users": 2},
        settings={"users": 2},
        environ={},
        environment=EnvironmentSpec(),
        named=("user",),
    )
    assert _command(options, cell) == "repro run mine.toml --set tls=true --set packages.user=1.18"


def test_without_an_index_one_sentence_says_so(planted, tmp_path: Path) -> None:
    done = repro(*planted(1.0), folder=tmp_path, **NOWHERE, UV_CACHE_DIR=str(tmp_path / "uv"))
    assert done.returncode == 3
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: the package index cannot be")
