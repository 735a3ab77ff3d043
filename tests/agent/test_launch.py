"""What reaches Locust, or another program, under every launch mode: the same as by hand, by real child processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import repro
from repro.core.judge.samples import Reading, Role
from repro.world.collecting.flight import Fleet

BOOT = Path(repro.__file__).parent / "agent" / "boot.py"
LIMIT_S = 180
LOCUSTFILE = """
import json, os, sys, time
from locust import LoadTestShape, User, constant, events, tag, task

@events.init_command_line_parser.add_listener
def own(parser):
    parser.add_argument("--queue-name", required=True, env_var="QUEUE_NAME")

class Writer(User):
    wait_time = constant(0.05)
    @tag("smoke")
    @task
    def write(self):
        time.sleep(0.01)
    @tag("nightly")
    @task
    def audit(self):
        raise RuntimeError("not part of a smoke test")

class Reader(User):
    wait_time = constant(0.05)
    @task
    def read(self):
        raise RuntimeError("not chosen")

if os.environ.get("SHAPED"):
    class Brief(LoadTestShape):
        def tick(self):
            return (2, 10) if self.get_run_time() < 1 else None

@events.quitting.add_listener
def tell(environment, **_):
    if type(environment.runner).__name__ == "WorkerRunner":
        return
    environment.process_exit_code = int(os.environ.get("EXIT_CODE", "0"))
    options = dict(vars(environment.parsed_options))
    options["environment"] = {
        "host": environment.host,
        "stop_timeout": environment.stop_timeout,
        "classes": [one.__name__ for one in environment.user_classes],
        "shape": type(environment.shape_class).__name__,
        "errors": sorted(one["msg"] for one in environment.runner.exceptions.values()),
    }
    with open("told.json", "w") as file:
        json.dump(options, file, default=str)
"""
TYPED = ["--queue-name", "orders", "--stop-timeout", "3", "Writer"]
CONFIG = "host = http://127.0.0.1:1\nloglevel = WARNING\nusers = 2\nspawn-rate = 2\n"


@dataclass(frozen=True)
class Ran:
    """What a cell came to: its exit code, both outputs, each process's flight record."""

    code: int
    output: str
    readings: tuple[Reading, ...]

    @property
    def roles(self) -> list[Role]:
        return sorted(reading.role for reading in self.readings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project as somebody has it: a locustfile, and Locust's own files beside it."""
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    (tmp_path / "locust.conf").write_text(CONFIG)
    (tmp_path / "pyproject.toml").write_text('[tool.locust]\nexclude-tags = ["weekly"]\n')
    return tmp_path


def run_cell(folder: Path, launch: str, typed: list[str], **variables: str) -> Ran:
    records = folder / "records"
    records.mkdir(exist_ok=True)
    settings = {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(records),
        "LOCUST_TAGS": "smoke",
        "REPRO_ARGUMENTS": json.dumps(typed),
        "REPRO_LAUNCH": launch,
        "REPRO_LOCUSTFILE": str(folder / "locustfile.py"),
        "REPRO_PROGRAM": "locust",
        "REPRO_STACKS_SIGNAL": "12",
        "REPRO_TRIAL_DIR": str(records),
        "REPRO_USERS": "2",
        **variables,
    }
    argv = [sys.executable, str(BOOT)]
    done = subprocess.run(argv, env=settings, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    fleet = Fleet(records)
    try:
        return Ran(done.returncode, done.stdout + done.stderr, fleet.read())
    finally:
        fleet.close()


def by_hand(folder: Path, argv: list[str], **variables: str) -> None:
    settings = {"PATH": os.defpath, "HOME": str(folder / "home"), "LOCUST_TAGS": "smoke", **variables}
    subprocess.run(argv, env=settings, cwd=folder, capture_output=True, timeout=LIMIT_S, check=True)


def told(folder: Path) -> dict[str, object]:
    answer: dict[str, object] = json.loads((folder / "told.json").read_text())
    (folder / "told.json").unlink()
    return answer


def test_what_a_user_typed_set_or_wrote_reaches_locust_as_by_hand_under_every_launch_mode(folder: Path) -> None:
    locust = str(Path(sys.executable).parent / "locust")
    line = [locust, "-f", str(folder / "locustfile.py"), "--headless", "-u", "2", "-r", "2", *TYPED]
    by_hand(folder, line, LOCUST_RUN_TIME="1s")
    expected = told(folder)
    assert expected["tags"] == ["smoke"]
    assert expected["exclude_tags"] == ["weekly"]
    assert expected["environment"] == {
        "host": "http://127.0.0.1:1",
        "stop_timeout": 3.0,
        "classes": ["Writer"],
        "shape": "NoneType",
        "errors": [],
    }
    for launch in ("cli", "library", "process", "spawn"):
        ran = run_cell(folder, launch, TYPED, LOCUST_RUN_TIME="1s")
        assert ran.code == 0, ran.output
        assert told(folder) == expected, launch
        assert sum(reading.iterations for reading in ran.readings) > 0
        assert any(reading.stop_at for reading in ran.readings)


@pytest.mark.parametrize(
    ("launch", "roles"),
    [
        ("library", [Role.LOCAL]),
        ("processes", [Role.MASTER, Role.WORKER, Role.WORKER]),
        ("distributed", [Role.NONE, Role.MASTER, Role.WORKER, Role.WORKER]),
    ],
)
def test_a_shape_decides_users_and_time_and_its_end_is_the_load_s(launch: str, roles: list[Role], folder: Path) -> None:
    ran = run_cell(folder, launch, TYPED, SHAPED="1", REPRO_USERS="1", REPRO_WORKERS="2")
    assert ran.code == 0, ran.output
    assert ran.roles == roles
    assert told(folder)["environment"]["shape"] == "Brief"  # type: ignore[index]  # a document of this test's own
    leaders = [reading for reading in ran.readings if reading.role in {Role.LOCAL, Role.MASTER}]
    assert all(reading.stop_at and reading.load_ended_at and reading.native_at for reading in leaders)


@pytest.mark.parametrize("launch", ["cli", "library", "process", "spawn"])
def test_a_required_argument_that_is_missing_ends_with_the_parser_s_own_words(launch: str, folder: Path) -> None:
    ran = run_cell(folder, launch, [])
    assert ran.code == 2
    assert "error: the following arguments are required: --queue-name" in ran.output
    assert not any(reading.load_at for reading in ran.readings)


@pytest.mark.parametrize("launch", ["cli", "library", "process"])
def test_an_exit_code_that_the_program_asks_for_is_noted_as_such(launch: str, folder: Path) -> None:
    ran = run_cell(folder, launch, TYPED, LOCUST_RUN_TIME="1s", EXIT_CODE="3")
    assert ran.code == 3
    assert [reading.exit_asked for reading in ran.readings if reading.role is Role.LOCAL] == [3]


def test_several_files_a_folder_or_none_are_found_as_locust_finds_them(folder: Path) -> None:
    (folder / "more").mkdir()
    for name in ("one", "two"):
        work = '    @tag("smoke")\n    @task\n    def work(self): pass\n'
        source = f"from locust import User, constant, tag, task\nclass {name.title()}(User):\n    wait_time = constant(0.1)\n{work}"
        (folder / "more" / f"{name}.py").write_text(source)
    both = f"{folder}/more/one.py,{folder}/locustfile.py"
    wanted = {"": ["Writer", "Reader"], str(folder / "more"): None, both: ["One", "Writer", "Reader"]}
    for path, classes in wanted.items():
        ran = run_cell(folder, "library", TYPED[:2] if classes else [], LOCUST_RUN_TIME="1s", REPRO_LOCUSTFILE=path)
        assert ran.code == 0, ran.output
        if classes:
            assert told(folder)["environment"]["classes"] == classes  # type: ignore[index]  # as above


PROGRAM = """
import json, os, sys
main = sys.modules["__main__"]
keys = ("__name__", "__file__", "__package__")
told = {key: getattr(main, key, None) for key in keys}
told["__file__"] = os.path.abspath(told["__file__"])
told.update(argv=sys.argv, path=sys.path[0], beside=__import__("beside").NAME, is_own=main.__dict__ is globals())
with open("told.json", "w") as file:
    json.dump(told, file)
"""


@pytest.mark.parametrize(
    ("program", "target"), [("file", "tools/run.py"), ("module", "tools.run"), ("module", "tools"), ("script", "")]
)
def test_a_program_of_another_kind_runs_as_by_hand(program: str, target: str, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("run.py", "__main__.py", "console"):
        (tools / name).write_text(PROGRAM)
    for place in (tmp_path, tools):
        (place / "beside.py").write_text(f"NAME = {place.name!r}\n")
    target = target or str(tools / "console")
    typed = ["--naïve", "a b", "\U0001f600", "{}"]
    by_hand(tmp_path, [sys.executable, *(["-m"] if program == "module" else []), target, *typed])
    expected = told(tmp_path)
    place = str(tmp_path / target) if program == "file" else ""
    ran = run_cell(tmp_path, "script", typed, REPRO_PROGRAM=program, REPRO_TARGET=target, REPRO_LOCUSTFILE=place)
    assert ran.code == 0, ran.output
    assert told(tmp_path) == expected
    assert [reading.is_program for reading in ran.readings] == [True]


def test_a_module_that_is_not_there_is_told_in_python_s_own_words(tmp_path: Path) -> None:
    ran = run_cell(tmp_path, "script", [], REPRO_PROGRAM="module", REPRO_TARGET="no_such_module")
    assert ran.code == 1
    assert "No module named no_such_module" in ran.output


ROUNDS = """
import sys, gevent
from locust import User, constant, task
from locust.env import Environment

class Worker(User):
    wait_time = constant(0.02)
    @task
    def work(self):
        with sys.modules["repro_agent"].operation("work"):
            gevent.sleep(0.01)

for _ in range(2):
    environment = Environment(user_classes=[Worker])
    runner = environment.create_local_runner()
    runner.start(2, spawn_rate=2)
    gevent.sleep(0.5)
    runner.quit() if len(sys.argv) < 2 else runner.stop()
"""


@pytest.mark.parametrize("typed", [[], ["stop"]])
def test_a_program_s_own_rounds_end_each_and_the_last_one_is_what_stands(typed: list[str], tmp_path: Path) -> None:
    (tmp_path / "rounds.py").write_text(ROUNDS)
    ran = run_cell(tmp_path, "script", typed, REPRO_PROGRAM="file", REPRO_TARGET="rounds.py")
    assert ran.code == 0, ran.output
    (reading,) = ran.readings
    assert (reading.role, reading.is_program) == (Role.LOCAL, True)
    assert reading.ended > 10
    assert reading.load_ended_at > reading.load_at + 0.6  # the second round's
    assert bool(reading.quit_done_at) is (not typed)


NESTED = """
from locust import TaskSet, User, constant, task

class Steps(TaskSet):
    @task
    def work(self):
        raise ValueError("why")

class Worker(User):
    wait_time = constant(0.05)
    tasks = [Steps]
"""


def test_a_set_of_tasks_is_no_task_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(NESTED)
    ran = run_cell(tmp_path, "cli", [], LOCUST_RUN_TIME="1s", LOCUST_TAGS="")
    (reading,) = ran.readings
    assert reading.iterations == reading.iteration_errors > 1, ran.output


SPAWNS = """
import multiprocessing, subprocess, sys

def call(number=0):
    with sys.modules["repro_agent.hooks"].operation("call"):
        return number

if __name__ == "__main__":
    call()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(call, range(4)) == [0, 1, 2, 3]
    subprocess.run([sys.executable, "-c", "import spawns; spawns.call()"], check=True)
    subprocess.run([sys.executable, "-c", "pass"], check=True)
"""


def test_the_pythons_that_a_program_starts_are_seen_and_those_that_call_nothing_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "spawns.py").write_text(SPAWNS)
    ran = run_cell(tmp_path, "script", [], REPRO_PROGRAM="file", REPRO_TARGET="spawns.py", PYTHONPATH=str(tmp_path))
    assert ran.code == 0, ran.output
    assert sum(reading.ended for reading in ran.readings) == 6
    assert 3 <= len(ran.readings) <= 5  # the program, one or both of the pool and its tracker, the subprocess


WEB = """
from locust import User, constant, events, task

@events.init.add_listener
def pages(environment, web_ui=None, **_):
    assert web_ui is environment.web_ui

    @environment.web_ui.app.route("/added")
    def added():
        return "yes"

class Quick(User):
    wait_time = constant(0.1)

    @task
    def call(self):
        assert self.environment.web_ui.app.test_client().get("/added").data == b"yes"
        self.environment.runner.quit()
"""


@pytest.mark.parametrize("launch", ["cli", "library"])
def test_files_that_add_to_the_web_ui_find_one_where_the_command_would_have_it(launch: str, tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(WEB)
    ran = run_cell(tmp_path, launch, [], REPRO_WEB_UI="1", LOCUST_TAGS="")
    assert ran.code == 0, ran.output
    assert "Traceback" not in ran.output
