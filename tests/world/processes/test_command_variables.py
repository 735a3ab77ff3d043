"""The variables of a cell that runs somebody's own command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from repro.command import CommandInFolder, CommandLine, Program
from repro.model import Cell, EnvironmentSpec, TrialOptions
from repro.world.processes.variables import Surroundings, variables

LINE = CommandLine(
    words=("locust",),
    program=Program.LOCUST,
    name="locust",
    locustfile="load/a.py",
    arguments=("--queue-name", "{queue}", "--where={endpoint}/{region}", '{"json": 1}'),
)
CELL = Cell(
    id="0", label="", scenario="x", factors={}, settings={"users": 3, "seconds": 6}, environ={"POOL": "9"},
    environment=EnvironmentSpec(),
)  # fmt: skip


def made(line: CommandLine = LINE, **own: str) -> dict[str, str]:
    command = CommandInFolder(line=line, folder=Path("/run/folder"), variables=own)
    around = Surroundings(
        options=TrialOptions(locustfile=Path("/a.py"), command=command),
        interpreter=Path("/venv/bin/python"),
        folder=Path("/trial"),
        work=Path("/home"),
        queue="q-1",
        stacks_signal=12,
        backend={
            "AWS_ENDPOINT_URL": "http://127.0.0.1:5",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_REGION": "eu-west-1",
        },
    )
    return variables(CELL, around)


def test_the_trials_own_queue_endpoint_and_region_stand_in_the_arguments() -> None:
    found = made()
    assert json.loads(found["REPRO_ARGUMENTS"]) == [
        "--queue-name",
        "q-1",
        "--where=http://127.0.0.1:5/eu-west-1",
        '{"json": 1}',
    ]
    assert (found["REPRO_PROGRAM"], found["REPRO_LOCUSTFILE"]) == ("locust", "load/a.py")


def test_the_backend_and_set_win_over_what_is_passed_on() -> None:
    found = made(QUEUE="{queue}", AWS_REGION="us-east-1", POOL="1", OTHER="x")
    assert (found["QUEUE"], found["AWS_REGION"], found["POOL"], found["OTHER"]) == ("q-1", "eu-west-1", "9", "x")


def test_the_path_begins_with_the_environments_programs() -> None:
    assert made()["PATH"].startswith("/venv/bin:")


def test_a_run_time_of_locusts_file_does_not_end_the_load() -> None:
    assert "LOCUST_RUN_TIME" not in made()
    assert int(made(replace(LINE, is_timed_by_file=True))["LOCUST_RUN_TIME"]) > CELL.settings["seconds"]  # type: ignore[operator]
