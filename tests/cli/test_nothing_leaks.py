"""Secrets and control sequences that a real cell prints, raises and has in its code: they get into no report and no export.

Two real trials of one locustfile, one that freezes and one that fails, and then every format of the report.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.timed

SECRETS = {
    "access key": "AKIAIOSFODNN7EXAMPLE",
    "secret key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "session token": "FwoGZXIvYXdzEBYaDHqa0APlanted",
    "account": "987654321098",
    "body": "card 4111-1111",
    "user": "somebody-real",
    "variable": "value-of-a-variable",
    "signature": "fe5f80f77d5fa3beca038a248ff027d0445342fe",
    "Stripe key": "4eC39HqLyjWDarjtT1zdp7dc",
    "Google key": "SyDdI0hCZtE6vySjMm-WEfRq3CPzqKqqsHI",
    "attribute": "card 4222-2222",
    "password of an index": "index-password",
    "address": "52.94.236.248",
    "level": "first-level",
}
HOSTILE = ("\x1b]0;owned\x07", "\x1b[2J", "\x9b31m")

LOCUSTFILE = '''
"""Says what it should not, then freezes or fails."""
import os
import platform
import sys

import locust
import boto3  # account 987654321098, by somebody-real
from gevent import monkey

TEXT = " ; ".join((
    "https://sqs.eu-west-1.amazonaws.com/987654321098/q?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe",
    "/home/somebody-real/x.py on " + platform.node() + " MY_OWN_SETTING=value-of-a-variable",
    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE aws_secret_access_key='wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'",
    "session token FwoGZXIvYXdzEBYaDHqa0APlanted MessageBody='card 4111-1111'",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc", "AIza" + "SyDdI0hCZtE6vySjMm-WEfRq3CPzqKqqsHI", "at 52.94.236.248:443",
    "{'StringValue': 'card 4222-2222'} https://me:index-password@pypi.company.net/simple",
    "\\x1b]0;owned\\x07 \\x1b[2J \\x9b31m </script><script>alert(1)</script> | ``` AKIA\\x1b[0mIOSFODNN7EXAMPLE",
))
native = monkey.get_original("_thread", "allocate_lock")()


class Leaky(locust.User):
    @locust.task
    def work(self):
        print(TEXT, dict(os.environ), flush=True)
        print(TEXT, file=sys.stderr, flush=True)
        if os.environ.get("MODE") == "fail":
            raise RuntimeError(TEXT)
        self.send(MessageBody="card 4111-1111", MessageAttributes={"a": {"DataType": "String", "StringValue": "card 4222-2222"}})

    def send(self, MessageBody, MessageAttributes):
        native.acquire()
        native.acquire()  # for 987654321098: MessageBody="card 4111-1111", AKIAIOSFODNN7EXAMPLE


if os.environ.get("MODE") == "fail":
    raise RuntimeError(TEXT)
'''
EXPERIMENT = """
scenario = "leaky.py"
trials = 1
[settings]
users = 2
spawn_rate = 2
seconds = 3
[env]
MODE = ["freeze", "fail"]
MY_API_TOKEN = ["first-level"]
[limits]
stall_after_s = 2
stop_grace_s = 2
beat_s = 2
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, repro) -> Path:
    """Somebody's home with a run in it, the folder ``run``."""
    folder = tmp_path_factory.mktemp("home") / SECRETS["user"]
    folder.mkdir()
    (folder / "leaky.py").write_text(LOCUSTFILE, "utf-8")
    (folder / "leaky.toml").write_text(EXPERIMENT)
    done = repro(folder, "run", "leaky.toml", "--python", sys.executable, "--out", "repro-runs/run", "--json")
    assert done.returncode == 1, done.stderr
    (folder / "run.json").write_text(done.stdout, "utf-8")
    for text in (done.stdout, done.stderr):
        assert [sequence for sequence in HOSTILE if sequence in text] == []
    return folder


@pytest.fixture(scope="module")
def repro(typed) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``repro(home, "list", "runs")`` is what somebody is told who types that at home."""
    own = {"USER": SECRETS["user"], "LOGNAME": SECRETS["user"], "MY_API_TOKEN": "opaque-token"}
    return lambda home, *words: typed(*words, folder=home, HOME=str(home), **own)


def leaked(text: str) -> list[str]:
    """What of the planted got out; the name of this machine counts too, where it is one that says something."""
    host = platform.node()
    planted = {**SECRETS, **({"host": host} if len(host) > 2 and host != "localhost" else {})}
    return [name for name, secret in planted.items() if secret in text]


def test_neither_does_the_run_itself_let_one_out(home: Path) -> None:
    text = (home / "run.json").read_text("utf-8")
    assert "frozen" in text
    assert leaked(text) == []


def test_the_run_did_hold_them_all(home: Path, repro) -> None:
    kept = repro(home, "report", "run", "--format", "json", "--no-redact").stdout
    assert {
        "access key",
        "account",
        "body",
        "user",
        "signature",
        "Stripe key",
        "Google key",
        "attribute",
        "address",
        "level",
    } <= set(leaked(kept))


@pytest.mark.parametrize("form", ["md", "html", "json", "junit"])
def test_no_report_lets_one_out(home: Path, form: str, repro) -> None:
    path = home / f"report.{form}"
    done = repro(home, "report", "run", "--format", form, "-o", str(path))
    assert done.returncode == 0, done.stderr
    text = path.read_text("utf-8")
    assert "frozen" in text
    assert leaked(text) == []
    assert [sequence for sequence in HOSTILE if sequence in text] == []


@pytest.mark.parametrize("arguments", [("report", "run"), ("report", "run", "--format", "junit"), ("list", "runs")])
def test_nothing_drives_the_terminal(home: Path, arguments: tuple[str, ...], repro) -> None:
    done = repro(home, *arguments)
    assert not any(sign in done.stdout + done.stderr for sign in ("\x1b", "\x9b", "\x07"))


def test_the_exported_folder_holds_none_and_the_locustfile_stays_python(home: Path, repro) -> None:
    done = repro(home, "export", "run", "-o", "bug", "--no-reduce", "--proof", "0")
    assert done.returncode == 3, done.stderr  # it was not run, and says so
    texts = {path.name: path.read_text("utf-8") for path in (home / "bug").iterdir()}
    assert set(texts) == {"reproduce.py", "README.md"}
    assert {name: leaked(text) for name, text in texts.items()} == {"reproduce.py": [], "README.md": []}
    compile(texts["reproduce.py"], "reproduce.py", "exec")
    assert "class Leaky(locust.User)" in texts["reproduce.py"]


def test_whoever_asks_for_it_keeps_them(home: Path, repro) -> None:
    done = repro(home, "export", "run", "-o", "kept", "--no-reduce", "--proof", "0", "--no-redact")
    assert done.returncode == 3, done.stderr
    assert SECRETS["access key"] in (home / "kept" / "reproduce.py").read_text("utf-8")
