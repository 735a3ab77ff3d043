"""Runs against a real account, with the embedded server in AWS's place and otherwise the same code: asked, bounded, tidied."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import boto3
import pytest

from repro.world.backends.servers.moto import MotoBackend
from repro.world.runs.store import read_run

pytestmark = pytest.mark.timed

LIMIT_S = 180.0
REGION = "eu-central-1"
KEY, SECRET, TOKEN = "AKIAPLANTEDKEY000001", "planted/secret+of-forty-characters/000001", "planted+session/token=="
OWN_ACTIONS = {"ListQueues", "CreateQueue", "SendMessageBatch", "DeleteQueue"}
TELLTALE = """
import logging
import os
import sys

sys.path.insert(0, {scenarios!r})
from planted import QueueUser  # isort: skip

from gevent.lock import Semaphore  # isort: skip
from locust import task  # isort: skip

never = Semaphore(0)
print("what I was given:", os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"])
print(dict(os.environ), file=sys.stderr)


class Telling(QueueUser):
    @task
    def work(self):
        self.exchange()
        if self.number < 3:
            never.acquire()
        raise RuntimeError("signed with %(AWS_SECRET_ACCESS_KEY)s" % os.environ)
"""
SCENARIOS = Path(__file__).parents[2] / "scenarios" / "known"


@pytest.fixture
def account(tmp_path: Path) -> Iterator[MotoBackend]:
    """The embedded server; its log tells every request that it got."""
    folder = tmp_path / "moto"
    folder.mkdir()
    backend = MotoBackend(folder=folder, mark="moto-account")
    backend.start()
    try:
        yield backend
    finally:
        backend.stop()


@contextmanager
def repro(
    *words: str | Path, folder: Path, stdin: int = subprocess.DEVNULL, **env: str
) -> Iterator[subprocess.Popen[str]]:
    """The command line in a shell with planted credentials; it is ended afterwards."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    planted = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with (folder / "stdout").open("w") as stdout, (folder / "stderr").open("w") as stderr:
        program = subprocess.Popen(
            [sys.executable, "-m", "repro", *words],
            cwd=folder,
            env={name: value for name, value in {**plain, **planted, "TMPDIR": str(temporary), **env}.items() if value},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        yield program
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def done(*words: str | Path, folder: Path, **env: str) -> tuple[int, str, str]:
    with repro(*words, folder=folder, **env) as program:
        code = program.wait(LIMIT_S)
    return code, (folder / "stdout").read_text(), (folder / "stderr").read_text()


def on(url: str, *words: str | Path) -> tuple[str | Path, ...]:
    """``run`` of a small planted truth in the account at ``url``."""
    account = ("--backend", "aws", "--region", REGION, "--endpoint-url", url)
    return ("run", *(words or ("known/clean",)), *account, "--python", sys.executable, "--set", "seconds=2")


def queues(account: MotoBackend) -> list[str]:
    sqs = boto3.client(
        "sqs", endpoint_url=account.endpoint_url, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key="x"
    )
    return [url.rpartition("/")[2] for url in sqs.list_queues().get("QueueUrls", ())]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def test_the_question_says_what_it_will_be_and_a_no_makes_nothing(account: MotoBackend, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    with repro(*on(account.endpoint_url), "--out", "run", folder=tmp_path, stdin=theirs) as program:
        assert program.wait(LIMIT_S) == 130
    said = (tmp_path / "stderr").read_text()
    os.close(ours)
    os.close(theirs)
    assert f"This makes 1 queues in the real SQS of {REGION}" in said
    assert "named repro-… and tagged created-by=repro" in said
    assert "US dollars" in said
    assert "Continue?" in said
    assert account.requests_since(0) == ()
    assert not (tmp_path / "run").exists()


def test_the_bound_on_requests_holds_whatever_the_load(account: MotoBackend, tmp_path: Path) -> None:
    bound = 80
    more = ("--set", "users=20", "--set", "think_time=0.01", "--set", "fault=throttle:share=0.5;action=any")
    more = (*more, "--set", "max_attempts=1")  # which its client knows nothing of: it makes five
    words = on(account.endpoint_url, "known/clean", *more)
    code, text, said = done(*words, "--yes", "--max-requests", str(bound), "--json", "--out", "run", folder=tmp_path)
    assert code in {0, 1, 3}, said
    (cell,) = json.loads(text)["cells"]
    assert cell["trials"][0]["verdict"] == "failing", cell["trials"][0]["reason"]
    assert "calls were refused: the budget of requests is spent" in cell["trials"][0]["reason"]
    (log,) = tmp_path.glob("run/evidence/*/proxy.jsonl")
    sent = sum(1 for line in log.read_text().splitlines() if json.loads(line)["event"] == "request")
    own = [one for one in account.requests_since(0) if one.action in OWN_ACTIONS]
    assert bound / 2 < sent + len(own) <= bound


def test_no_secret_is_in_anything_that_was_written_and_no_queue_stays(account: MotoBackend, tmp_path: Path) -> None:
    own = tmp_path / "telling.py"
    own.write_text(TELLTALE.format(scenarios=str(SCENARIOS)))
    words = on(account.endpoint_url, "known/clean", "--locustfile", own)
    code, text, said = done(*words, "--yes", "--json", "--out", "run", folder=tmp_path)
    assert code == 1, said
    evidence = "".join(path.read_text("utf-8", "replace") for path in tmp_path.glob("run/evidence/*/std*.txt"))
    assert "what I was given: <secret>" in evidence
    assert "signed with <secret>" in evidence
    code, page, mistakes = done("report", "run", "--format", "html", "--no-redact", folder=tmp_path)
    assert code == 0, mistakes
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "moto" not in path.parts]
    assert {"run.sqlite", "stdout.txt"} <= {path.name for path in files}
    assert any(path.name.startswith("greenlets-loop-") for path in files)
    for secret in (KEY, SECRET, TOKEN):
        assert [one[:80] for one in (text, said, page) if secret in one] == []
        assert [path.name for path in files if secret.encode() in path.read_bytes()] == []
    requests = account.requests_since(0)
    made = {request.queue for request in requests if request.action == "CreateQueue"}
    assert [name.startswith("repro-") for name in made] == [True]
    assert made == {request.queue for request in requests if request.action == "DeleteQueue"}
    assert queues(account) == []


def test_after_ctrl_c_no_queue_is_left(account: MotoBackend, tmp_path: Path) -> None:
    words = on(account.endpoint_url, "known/slow-rare")
    with repro(*words, "--set", "seconds=60", "--yes", "--out", "run", folder=tmp_path) as program:
        until(lambda: any(file.stat().st_size for file in tmp_path.glob("run/evidence/*/stderr.txt")))
        assert len(queues(account)) == 1
        program.send_signal(signal.SIGINT)
        assert program.wait(LIMIT_S) == 130
    assert queues(account) == []
    assert [trial.verdict for cell in read_run(tmp_path / "run").cells for trial in cell.trials] == ["interrupted"]


def test_what_kill_9_left_is_removed_by_cleanup(account: MotoBackend, tmp_path: Path) -> None:
    cleanup = ("cleanup", "--region", REGION, "--endpoint-url", account.endpoint_url)
    words = on(account.endpoint_url, "known/slow-rare")
    with repro(*words, "--set", "seconds=60", "--yes", "--out", "run-7", folder=tmp_path) as program:
        until(lambda: queues(account))
        program.kill()
    (left,) = queues(account)
    assert left.startswith("repro-")
    code, text, said = done(*cleanup, folder=tmp_path)
    assert (code, "deleting 1 queues needs a confirmation, and this is not a terminal; add --yes" in said) == (2, True)
    code, text, said = done(*cleanup, "--dry-run", folder=tmp_path)
    assert (code, f"{left}  run " in text, "1 queues would be deleted" in text) == (0, True, True), said
    assert queues(account) == [left]
    code, text, said = done(*cleanup, "--yes", folder=tmp_path)
    assert (code, f"1 queues are deleted in {REGION}." in text) == (0, True), said
    assert queues(account) == []
    code, text, said = done(*cleanup, "--yes", folder=tmp_path)
    assert (code, text) == (0, f"Nothing is left in {REGION}.\n"), said


@contextmanager
def refusing(code: str) -> Iterator[str]:
    """An SQS that says no to everything, by this code."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": f"no, {SECRET}"}).encode()
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("InvalidClientTokenId", "AWS refuses the credentials (InvalidClientTokenId); check them with"),
        ("ThrottlingException", "AWS throttles this account (ThrottlingException); wait a minute"),
    ],
)
def test_an_account_that_says_no_is_one_sentence(code: str, said: str, tmp_path: Path) -> None:
    with refusing(code) as url:
        exit_code, text, errors = done(*on(url), "--yes", "--out", "run", folder=tmp_path)
    *_, last = errors.strip().splitlines()
    assert (exit_code, text) == (4, "")
    assert last.startswith(f"Error: cannot list queues in {REGION}: ")
    assert said in last
    assert SECRET not in errors
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "env", "exit_code", "said"),
    [
        (("--region", REGION), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 4, "no AWS credentials are found; run `aws sso login`"),
        (("--region", "eu-nowhere-1"), {}, 2, "--region eu-nowhere-1: this boto3 knows no SQS in that region; choose one such as eu-"),
        (("--region", REGION, "--profile", "nobody"), {}, 2, "choose one of `aws configure list-profiles` with --profile"),
        (("--region", REGION, "--endpoint-url", "http://127.0.0.1:9"), {}, 4, "http://127.0.0.1:9 does not answer (EndpointConnectionError)"),
    ],
    ids=["no credentials", "no such region", "no such profile", "no answer"],
)  # fmt: skip
def test_what_is_missing_is_one_sentence_and_nothing_stays(
    words: tuple[str, ...], env: dict[str, str], exit_code: int, said: str, tmp_path: Path
) -> None:
    given = ("run", "known/clean", "--backend", "aws", *words, "--python", sys.executable, "--yes", "--out", "run")
    code, text, errors = done(*given, folder=tmp_path, **env)
    *_, last = errors.strip().splitlines()
    assert (code, text) == (exit_code, "")
    assert last.startswith("Error: ")
    assert said in last
    assert list((tmp_path / "tmp").iterdir()) == []
