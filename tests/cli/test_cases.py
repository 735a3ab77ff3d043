"""Load tests as people write them, ``cases/``, each typed as they type it: the verdict, and the words that explain it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from repro.model import EnvironmentSpec
from repro.world.environments.cache import EnvironmentCache

pytestmark = [pytest.mark.timed, pytest.mark.registry]

CASES = Path(__file__).with_name("cases")
SCRIPT = Path(sys.executable).with_name("repro")
LIMIT_S = 400
REPORTS = {
    "locust": "2.24.0", "gevent": "24.2.1", "urllib3": "2.2.1", "boto3": "1.34.64", "configargparse": "1.7",
    "setuptools": "75.8.0",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is typed behind ``repro run`` in a case's folder, and by cell what it comes to: verdict, class, words."""

    typed: str
    truths: Sequence[tuple[str, str, str]]
    pins: dict[str, str] = field(default_factory=lambda: REPORTS)
    as_of: date | None = None


def repro(verb: str, name: str, case: Case, folder: Path) -> tuple[dict[str, Any], str]:
    """The document of what was typed in a copy of the case's folder, and what was printed beside it."""
    spec = EnvironmentSpec(python="3.11", pins=case.pins, as_of=case.as_of)
    interpreter = EnvironmentCache().ensure(spec).interpreter
    shutil.copytree(CASES / name, folder / "mine")
    path = f"{interpreter.parent}:/usr/bin:/bin"
    done = subprocess.run(
        [SCRIPT, *shlex.split(verb), "--json", *shlex.split(case.typed)], cwd=folder / "mine",
        env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.stderr


def _truth(cell: dict[str, Any]) -> tuple[str, str, str]:
    (trial,) = cell["trials"]
    return cell["verdict"], trial.get("hang_class") or "", trial.get("explanation") or trial.get("reason") or ""


def check(name: str, case: Case, folder: Path) -> None:
    document, printed = repro("run --trials 1", name, case, folder)
    found = [_truth(cell) for cell in document["cells"]]
    assert [one[:2] for one in found] == [one[:2] for one in case.truths], (found, printed)
    for (_, _, explanation), (_, _, words) in zip(found, case.truths, strict=True):
        for part in words.split(" … "):
            assert part in " ".join(explanation.split()), printed


FORKS = {"gevent": "24.2.1", "urllib3": "2.2.3", "boto3": "1.35.36"}
OLD = {"locust": "2.24.0", "gevent": "24.2.1", "urllib3": "1.26.15", "boto3": "1.34.64", "configargparse": "1.7",
       "setuptools": "75.8.0"}  # fmt: skip
OF_2023 = {"locust": "2.14.2", "boto3": "1.26.82", "setuptools": "67.4.0"}
TRUTHS = {
    "fork-in-executor": Case(
        "--set gevent=24.2.1,26.7.0,26.8.0 --set seconds=3 -- python locustfile.py",
        [
            ("hang", "frozen", "waits for a native lock without a timeout"),
            ("hang", "frozen", "waits for a native lock without a timeout"),
            ("clean", "", ""),
        ],
        FORKS,
    ),
    "weight-zero": Case(
        "--set locust=2.31.5,2.31.6 -- locust -f locustfile.py -u 4 -t 3s",
        [("crash", "", "no user could be started: ValueError: math domain error, raised in"), ("clean", "", "")],
        OLD,
    ),
    "retry-swallows-stop": Case(
        "--set gevent=24.2.1,26.8.0 -- locust -f locustfile.py -u 4 -t 2s",
        [("hang", "unstoppable", "4 of 4 users … inside the `try` with `except:` … stubborn")] * 2,
    ),
    "asyncio-in-users": Case(
        "--set users=1,10 -- locust -f locustfile.py -t 3s",
        [("clean", "", ""), ("failing", "", "running event loop")],
    ),
    "old-success-events": Case(
        "--set locust=2.14.2,2.15.0 --set as_of=2023-03-01 -- locust -f locustfile.py -u 3 -t 3s",
        [("clean", "", ""), ("failing", "", "AttributeError")],
        OF_2023,
        date(2023, 3, 1),
    ),
    "required-argument": Case("-- locust -f locustfile.py --queue-name {queue} -u 3 -t 2s", [("clean", "", "")]),
    "package-with-shape": Case("-- locust -f loadtest/locustfile.py -t 4s", [("clean", "", "")]),
    "s3-httpuser-without-host": Case(
        "--bucket load --redirect http://localhost:9000 -- locust -f locustfile.py -u 3 -t 3s", [("clean", "", "")]
    ),
    "dynamodb-global-resource": Case(
        "--set launch=cli,distributed -- locust -f locustfile.py -u 4 -t 3s", [("clean", "", "")] * 2
    ),
    "locust-conf-tags": Case("-- locust", [("clean", "", "")]),
    "seed-snippets": Case("--queue my-queue -- locust -f locustfile.py -u 4 -t 2s", [("clean", "", "")]),
}
WITHOUT = {
    "required-argument": Case(
        "--set launch=cli,library -- locust -f locustfile.py -u 3 -t 2s",
        [("crash", "", "the following arguments are required: --queue-name")] * 2,
    ),
    "package-with-shape": Case(
        "-- WAIT_FOR_COMPLETION=1 LOSE_JOBS=1 locust -f loadtest/locustfile.py -t 3s",
        [("hang", "unstoppable", "All users have ended … loadtest/setup.py:end")],
    ),
    "s3-httpuser-without-host": Case("--bucket load -- locust -f locustfile.py -u 3 -t 3s", [("crash", "", "host")]),
    "seed-snippets": Case("-- locust -f locustfile.py -u 4 -t 2s", [("crash", "", "Add --queue my-queue")]),
}
"""The same without what they need, or as they hang."""


@pytest.mark.parametrize("name", TRUTHS)
def test_it_is_judged_as_it_is(name: str, tmp_path: Path) -> None:
    check(name, TRUTHS[name], tmp_path)


@pytest.mark.parametrize("name", WITHOUT)
def test_and_without_what_it_needs(name: str, tmp_path: Path) -> None:
    check(name, WITHOUT[name], tmp_path)


def test_a_hunt_on_a_command_finds_the_release_that_fixed_it(tmp_path: Path) -> None:
    typed = "--confidence 0.9 --set seconds=3 -- python locustfile.py"
    case = Case(f"gevent --find fixed --bad 26.7.0 --good 26.8.0 {typed}", [], FORKS)
    document, printed = repro("bisect", "fork-in-executor", case, tmp_path)
    answer = document["answer"]
    assert (answer["kind"], answer["release"], answer["previous"]) == ("first-fixed", "26.8.0", "26.7.0"), printed
