"""The command line as it is typed, without the time that an interpreter takes to import it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HUNTED = """
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
HUNT = """
scenario = "mine.py"

[settings]
users = 2
spawn_rate = 2
seconds = 1

[limits]
stall_after_s = 1
stop_grace_s = 1
beat_s = 2
"""
PROMPT = Path(__file__).parent / "children" / "prompt.py"
SCRIPT = Path(sys.executable).with_name("repro")


@pytest.fixture(scope="session")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """``typed("list", "runs", folder=here, COLUMNS="200")`` is what ``repro list runs`` does there: a process of its own."""
    outputs = [tmp_path_factory.mktemp("typed") / name for name in ("stdout", "stderr")]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, PROMPT], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as prompt:

        def answer(*words: str | Path, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
            argv = [str(SCRIPT), *map(str, words)]
            for path in outputs:
                path.write_bytes(b"")
            asked = {
                "argv": argv,
                "cwd": str(folder),
                "env": {**os.environ, "COLUMNS": "200", **env},
                "stdout": str(outputs[0]),
                "stderr": str(outputs[1]),
            }
            print(json.dumps(asked), file=prompt.stdin, flush=True)
            code = int(prompt.stdout.readline())
            return subprocess.CompletedProcess(argv, code, *(path.read_text("utf-8") for path in outputs))

        yield answer
        prompt.stdin.close()


@pytest.fixture
def planted(index_folder, tmp_path: Path) -> Callable[[float], list[str]]:
    """32 releases of which the 18th and later hang, in the index; gives the words of a hunt at a rate."""
    for number in range(1, 33):
        index_folder.add("planted", f"1.{number}")

    def words(rate: float) -> list[str]:
        (tmp_path / "mine.py").write_text(HUNTED.replace("RATE", str(rate)))
        (tmp_path / "mine.toml").write_text(HUNT)
        return ["bisect", "planted", "mine.toml", "--out", "hunt"]

    return words
