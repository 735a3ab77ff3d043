"""A cell's variables are built and never inherited: nothing of the user's shell changes what it does."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from repro.model import Cell, EnvironmentSpec, TrialOptions
from repro.world.processes import door
from repro.world.processes.variables import SLOTS_BEYOND_USERS, Surroundings, variables

LEAKS = {
    "AWS_PROFILE": "mine", "AWS_ACCESS_KEY_ID": "secret", "AWS_SESSION_TOKEN": "secret", "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://x", "AWS_CA_BUNDLE": "/x", "AWS_MAX_ATTEMPTS": "9",
    "HTTP_PROXY": "http://x", "https_proxy": "http://x", "ALL_PROXY": "http://x", "NO_PROXY": "*",
    "REQUESTS_CA_BUNDLE": "/x", "SSL_CERT_FILE": "/x", "PYTHONPATH": "/x", "PYTHONSTARTUP": "/x", "PYTHONHASHSEED": "1",
    "LOCUST_USERS": "3", "LOCUST_HEADLESS": "1", "GEVENT_LOOP": "libev-cffi", "VIRTUAL_ENV": "/x", "LD_PRELOAD": "",
    "REPRO_SLOTS": "1", "MOTO_PORT": "1", "OWN": "x",
}  # fmt: skip
CELL = Cell(
    id="c",
    label="",
    scenario="s",
    factors={},
    settings={"users": 20, "tls": True, "tcp_keepalive": False, "read_timeout": 0.5, "client": "shared", "fault": ""},
    environ={"LOCUST_SKIP_URLLIB3_PATCH": "1", "EMPTY": ""},
    environment=EnvironmentSpec(),
)


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(
        options=TrialOptions(locustfile=Path("/l.py"), seed=7),
        interpreter=Path(sys.executable),
        folder=tmp_path / "f",
        work=tmp_path / "w",
        queue="q",
        stacks_signal=40,
        backend={"AWS_ACCESS_KEY_ID": "repro", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
    )


def test_nothing_of_the_users_shell_reaches_a_cell(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    done = door.run([sys.executable, "-c", program], env=variables(CELL, around), limit_s=20)
    seen = json.loads(done.stdout)
    own = {
        "AWS_ACCESS_KEY_ID": "repro",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "REPRO_SLOTS": str(20 + SLOTS_BEYOND_USERS),
    }
    assert {name: value for name, value in seen.items() if name in LEAKS} == own


def test_settings_reach_the_locustfile_under_their_names(around: Surroundings) -> None:
    found = variables(CELL, around)
    assert {name: found[f"REPRO_{name}"] for name in ("USERS", "TLS", "TCP_KEEPALIVE", "READ_TIMEOUT", "CLIENT")} == {
        "USERS": "20",
        "TLS": "1",
        "TCP_KEEPALIVE": "0",
        "READ_TIMEOUT": "0.5",
        "CLIENT": "shared",
    }
    assert (found["REPRO_QUEUE"], found["REPRO_SEED"], found["REPRO_LOCUSTFILE"]) == ("q", "7", "/l.py")
    assert found["REPRO_SLOTS"] == str(20 + SLOTS_BEYOND_USERS)


def test_variables_of_the_experiment_win_and_an_empty_one_is_not_set(around: Surroundings) -> None:
    found = variables(replace(CELL, environ={**CELL.environ, "LANG": "de_DE.UTF-8", "AWS_MAX_ATTEMPTS": "2"}), around)
    assert found["LOCUST_SKIP_URLLIB3_PATCH"] == "1"
    assert "EMPTY" not in found
    assert (found["LANG"], found["AWS_MAX_ATTEMPTS"]) == ("de_DE.UTF-8", "2")


def test_credentials_and_profiles_of_the_machine_cannot_be_found(around: Surroundings) -> None:
    found = variables(CELL, around)
    assert found["HOME"] == str(around.work)
    assert found["AWS_CONFIG_FILE"] == found["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert found["AWS_EC2_METADATA_DISABLED"] == "true"


def test_a_budget_and_an_untouched_environment_are_said_only_when_asked_for(around: Surroundings) -> None:
    assert not {"PYTHONDONTWRITEBYTECODE", "REPRO_REQUEST_BUDGET"} & set(variables(CELL, around))
    options = replace(around.options, is_untouched=True, request_budget=500)
    asked = variables(CELL, replace(around, options=options))
    assert (asked["PYTHONDONTWRITEBYTECODE"], asked["REPRO_REQUEST_BUDGET"]) == ("1", "500")


def test_the_cells_own_programs_come_first_on_the_path(around: Surroundings) -> None:
    assert variables(CELL, around)["PATH"].split(":")[0] == str(Path(sys.executable).parent)
