"""``repro run -- COMMAND`` as people type it: real trials of small programs of the kinds that are found in repositories."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timed

OPTIONS = """
import os
from locust import User, constant, events, tag, task
import boto3
@events.init_command_line_parser.add_listener
def own_options(parser):
    parser.add_argument("--queue-name", required=True)
SIZE = int(open("sizes/small.txt").read())
class Sender(User):
    wait_time = constant(0.1)
    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=self.environment.parsed_options.queue_name)["QueueUrl"]
        with open("written.txt", "a") as file:
            file.write("started\\n")
    @tag("smoke")
    @task
    def send(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x" * SIZE)
    @tag("nightly")
    @task
    def fail(self):
        raise RuntimeError("not part of a smoke test")
"""
ENDING = """
import os
import time
from locust import events
@events.test_stop.add_listener
def wait(**_):
    while os.environ.get("WAIT_FOR_ALL"):
        time.sleep(0.5)
"""
CONF = "locustfile = load/file.py\nheadless = true\nusers = 3\nspawn-rate = 3\nrun-time = 2s\ntags = smoke\n"
CALLS = """
import os, sys
import boto3
sqs = boto3.client("sqs")
url = sqs.get_queue_url(QueueName=sys.argv[1])["QueueUrl"]
for number in range(int(os.environ["HOW_MANY"])):
    sqs.send_message(QueueUrl=url, MessageBody=str(number))
print("sent by", __name__, os.getcwd() == os.environ["PWD_BY_HAND"])
"""


TESTED = """
import os
import boto3
import gevent
import pytest
from locust import User, constant, task
from locust.env import Environment

class Consumer(User):
    wait_time = constant(0.1)
    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    @task
    def consume(self):
        while True:
            try:
                self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=1)
                break
            except BaseException:
                if not os.environ.get("STUBBORN"):
                    raise

@pytest.mark.parametrize("users", [1, 3])
def test_load(users):
    environment = Environment(user_classes=[Consumer])
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=10)
    gevent.spawn_later(1, runner.quit)
    runner.greenlet.join()
    assert environment.stats.total.num_failures == int(os.environ.get("FAILURES", 0))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with a Locust test in a folder, its settings and data at the root, and a program beside it."""
    files = {
        "load/file.py": OPTIONS,
        "locust.conf": CONF,
        "sizes/small.txt": "5",
        "tool/__init__.py": "",
        "tool/run.py": CALLS,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


@pytest.fixture
def repro(typed) -> Callable[..., tuple[subprocess.CompletedProcess[str], dict[str, Any]]]:
    """``repro run --json`` with these words: what came of it, and its document."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def answer(
        *words: str, folder: Path, env: Mapping[str, str] | None = None
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        done = typed("run", "--json", "--trials", "1", *words, folder=folder, PATH=path, **(env or {}))
        return done, json.loads(done.stdout) if done.stdout else {}

    return answer


def test_locust_finds_its_file_settings_tags_and_data_and_writes_into_its_own_copy(project: Path, repro) -> None:
    before = {path for path in project.rglob("*") if ".git" not in path.parts}
    done, document = repro("--out", "out", "--", "locust", "--queue-name", "{queue}", folder=project)
    (cell,) = document["cells"]
    assert cell["verdict"] == "clean", done.stderr
    assert (cell["factors"]["users"], cell["factors"]["seconds"]) == (3, 2)
    assert cell["exposure"]["operations"] > 3  # and none of a task of another tag, which raises
    after = {path for path in project.rglob("*") if ".git" not in path.parts and "out" not in path.parts}
    assert after == before
    assert (project / "out" / "folder" / "load" / "file.py").read_text() == OPTIONS
    assert "the web UI" not in done.stderr
    assert cell["trials"][0]["command"].endswith("-- locust --queue-name '{queue}'")
    resumed = ("--out", "out", "--resume", "--", "locust", "--queue-name")
    assert repro(*resumed, "{queue}", folder=project)[0].returncode == 0
    other, _ = repro(*resumed, "other", folder=project)
    assert other.returncode == 2
    assert "has other cells; type the command it was started with" in other.stderr
    assert "-- locust --queue-name '{queue}'" in other.stderr
    (project / "load" / "file.py").write_text(OPTIONS + "\n# changed\n")
    changed, _ = repro(*resumed, "{queue}", folder=project)
    assert changed.returncode == 2
    assert "not as when the run in out was made: file load/file.py" in changed.stderr


def test_a_required_option_that_is_left_out_is_a_crash_in_argparses_words(project: Path, repro) -> None:
    done, document = repro("--", "locust", folder=project)
    (cell,) = document["cells"]
    assert cell["verdict"] == "crash"
    assert "--queue-name" in done.stderr


def test_a_module_with_arguments_and_a_variable_of_the_shell(project: Path, repro) -> None:
    words = ("--", "python", "-m", "tool.run", "{queue}")
    done, document = repro(*words, folder=project, env={"HOW_MANY": "5", "PWD_BY_HAND": "elsewhere"})
    (cell,) = document["cells"]
    assert cell["verdict"] == "clean", done.stderr
    assert cell["exposure"]["operations"] == 6
    assert "passed on from this shell: HOW_MANY" in done.stderr


def test_a_module_that_is_missing_says_what_to_type(project: Path, repro) -> None:
    (project / "load" / "file.py").write_text("import grpc_not_there\n" + OPTIONS)
    done, document = repro("--", "locust", "--queue-name", "{queue}", folder=project)
    assert document["cells"][0]["verdict"] == "crash"
    assert "add --set packages.grpc-not-there= for its newest release" in " ".join(done.stderr.split())


def test_a_program_that_asks_for_input_ends_in_its_own_words_after_a_call_too(project: Path, repro) -> None:
    asks = "import boto3\nboto3.client('sqs').list_queues()\ninput('which queue? ')\n"  # the prompt ends no line
    (project / "ask.py").write_text(asks)
    done, document = repro("--", "python", "ask.py", folder=project)
    assert document["cells"][0]["verdict"] == "crash"
    assert "EOFError: EOF when reading a line; a trial has no input to read" in " ".join(done.stderr.split())


def test_a_package_is_imported_from_the_root_and_what_waits_at_the_end_is_a_hang(project: Path, repro) -> None:
    (project / "load" / "__init__.py").write_text("")
    (project / "load" / "ending.py").write_text(ENDING)
    (project / "load" / "file.py").write_text("import load.ending\n" + OPTIONS)
    words = ("--", "locust", "--queue-name", "{queue}")
    done, document = repro(*words, folder=project)
    assert document.get("cells", [{}])[0].get("verdict") == "clean", done.stderr
    done, document = repro(*words, folder=project, env={"WAIT_FOR_ALL": "1"})
    (cell,) = document["cells"]
    assert (cell["verdict"], cell["trials"][0]["hang_class"]) == ("hang", "unstoppable"), done.stderr
    assert re.search(r"passed on from this shell: (\w+, )*WAIT_FOR_ALL", " ".join(done.stderr.split()))


def test_pytest_drives_locust_and_hangs_or_fails_as_by_hand(tmp_path: Path, repro) -> None:
    (tmp_path / "conftest.py").write_text("import locust\n")  # it patches before anything else is imported
    (tmp_path / "test_load.py").write_text(TESTED)
    words = ("--queue", "orders", "--", "pytest", "-q", "-p", "no:cacheprovider")
    done, document = repro(*words, folder=tmp_path)
    (cell,) = document["cells"]
    assert cell["verdict"] == "clean", done.stderr
    assert cell["exposure"]["operations"] > 4
    done, document = repro(*words, folder=tmp_path, env={"FAILURES": "1"})
    (cell,) = document["cells"]
    assert cell["verdict"] == "crash"
    assert "test_load.py::test_load[3] failed: " in " ".join(done.stderr.split())
    done, document = repro(*words, folder=tmp_path, env={"STUBBORN": "1"})
    (cell,) = document["cells"]
    assert (cell["verdict"], cell["trials"][0]["hang_class"]) == ("hang", "unstoppable"), done.stderr
