"""What the words of a command mean."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from repro.command import CommandLine, Program
from repro.core.command.locust_options import completed, settings_in, settings_in_toml, settings_of_variables
from repro.core.command.parser import parse
from repro.errors import UsageError


def typed(line: str) -> CommandLine:
    return parse(shlex.split(line), cores=4)


def test_users_rate_and_time_become_factors_and_all_else_is_handed_on() -> None:
    command = typed("locust -f tests/load/locustfile.py -u 50 -r 2.5 -t 1h30m --tags smoke fast --queue-name q Buyer")
    assert (command.program, command.name, command.locustfile) == (Program.LOCUST, "locust", "tests/load/locustfile.py")
    assert command.levels == {"users": 50, "spawn_rate": 2.5, "seconds": 5400}
    assert command.arguments == ("--tags", "smoke", "fast", "--queue-name", "q", "Buyer")
    assert (command.dropped, command.is_headless) == ((), False)


@pytest.mark.parametrize("line", ["--users=5 --spawn-rate=1 --run-time=20s --headless", "-u5 -r1 -t20s --headless"])
def test_an_option_may_be_one_word_with_its_value(line: str) -> None:
    command = typed(f"locust {line}")
    assert command.levels == {"users": 5, "spawn_rate": 1, "seconds": 20}
    assert command.is_headless


@pytest.mark.parametrize(
    ("line", "levels", "dropped"),
    [
        ("locust --master --master-bind-port 5600 --expect-workers 3", {"launch": "distributed", "workers": 3},
         ("--master", "--master-bind-port", "5600")),
        ("locust --worker --master-host=10.0.0.1", {"launch": "distributed"}, ("--worker", "--master-host", "10.0.0.1")),
        ("locust --processes 2", {"launch": "processes", "workers": 2}, ()),
        ("locust --processes -1", {"launch": "processes", "workers": 4}, ()),
        ("locust --web-port 8090 --autostart --autoquit 3", {}, ("--web-port", "8090", "--autostart", "--autoquit", "3")),
    ],
)  # fmt: skip
def test_roles_are_launch_modes_and_the_web_ui_is_dropped(
    line: str, levels: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    command = typed(line)
    assert (command.levels, command.dropped, command.arguments) == (levels, dropped, ())


@pytest.mark.parametrize(
    ("line", "program", "target", "arguments", "options"),
    [
        ("python load.py --n 3", Program.FILE, "load.py", ("--n", "3"), ()),
        ("python3.11 -X dev -u load.py", Program.FILE, "load.py", (), ("-X", "dev", "-u")),
        (".venv/bin/python -m load.run -v", Program.MODULE, "load.run", ("-v",), ()),
        ("pytest tests/load -k queue", Program.SCRIPT, "pytest", ("tests/load", "-k", "queue"), ()),
        ("./bin/load", Program.SCRIPT, "./bin/load", (), ()),
        ("python -W error -m locust -f a.py", Program.LOCUST, "", (), ("-W", "error")),
        ("python .venv/bin/locust -f a.py", Program.LOCUST, "", (), ()),
    ],
)
def test_other_programs(
    line: str, program: Program, target: str, arguments: tuple[str, ...], options: tuple[str, ...]
) -> None:
    command = typed(line)
    assert (command.program, command.target) == (program, target)
    assert (command.arguments, command.options) == (arguments, options)


def test_what_stands_in_front_chooses_the_environment_or_sets_variables() -> None:
    command = typed("env QUEUE=a LOSE=1 uv run --with locust==2.24.0 -- locust -u 3")
    assert command.runner == ("uv", "run", "--with", "locust==2.24.0")
    assert command.variables == {"QUEUE": "a", "LOSE": "1"}
    assert (command.name, command.levels) == ("locust", {"users": 3})
    assert typed("time A=1 poetry run python x.py").runner == ("poetry", "run")


def test_several_locustfiles_are_kept_as_they_were_typed() -> None:
    command = typed("locust -f a.py,b/ -u 1")
    assert (command.locustfile, command.locustfiles) == ("a.py,b/", ("a.py", "b/"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "no command after --"),
        ("python", "has no file to run"),
        ("python -c 'import x'", "put the code into a file"),
        ("python -m", "has no module to run"),
        ("locust -u", "-u has no value"),
        ("locust -u many", "-u cannot be 'many'"),
        ("locust -t soon", "such as 90, 90s, 5m"),
        ("locust --list", "leave it out"),
        ("env -i locust", "leave env and its options out"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_next_step(line: str, says: str) -> None:
    with pytest.raises(UsageError, match="^.*" + says.replace("(", r"\(")):
        typed(line)


CONF = """
# a comment
locustfile = load/file.py
headless
users: 12
spawn-rate = 4   ; all soon
run-time 6s
tags = smoke
"""


def test_a_settings_file_says_what_the_command_does_not() -> None:
    settings = settings_in(CONF)
    assert settings["locustfile"] == "load/file.py"
    command = completed(typed("locust -u 3"), settings, cores=4)
    assert command.levels == {"users": 3, "spawn_rate": 4, "seconds": 6}
    assert command.is_headless


def test_a_project_file_and_variables_say_it_too() -> None:
    toml = settings_in_toml("[tool.locust]\nusers = 7\nheadless = true\nspawn_rate = 2.5\n[tool.other]\nusers = 9\n")
    assert toml == {"users": "7", "headless": "true", "spawn-rate": "2.5"}
    assert settings_in_toml("not toml [") == {}
    assert settings_of_variables({"LOCUST_RUN_TIME": "5m", "LOCUST_TAGS": "a", "HOME": "/"}) == {"run-time": "5m"}
    assert completed(typed("locust"), {"processes": "-1"}, cores=4).levels == {"launch": "processes", "workers": 4}
    assert completed(typed("locust"), {"master": "true"}, cores=4).levels == {"launch": "distributed"}


@pytest.mark.parametrize(
    ("line", "name", "runner", "dropped"),
    [
        ("timeout -k 5 60 locust -u 3", "locust", (), ("timeout", "-k", "5", "60")),
        ("nice -n 5 stdbuf -oL python load.py", "python", (), ("nice", "-n", "5", "stdbuf", "-oL")),
        ("time -p nohup locust", "locust", (), ()),
        ("bash -lc 'QUEUE=a locust -u 3'", "locust", (), ()),
        ("conda run -n load --no-capture-output locust", "locust",
         ("conda", "run", "-n", "load", "--no-capture-output"), ()),
        ("uvx --with boto3 locust@2.24.0 -u 3", "locust", ("uvx", "--with", "boto3", "--from", "locust==2.24.0"), ()),
        ("uv tool run locust", "locust", ("uvx", "--from", "locust"), ()),
        ("hatch run locust", "locust", ("hatch", "run"), ()),
    ],
)  # fmt: skip
def test_what_only_starts_it_or_chooses_its_environment_is_taken_off(
    line: str, name: str, runner: tuple[str, ...], dropped: tuple[str, ...]
) -> None:
    command = typed(line)
    assert (command.name, command.runner, command.dropped) == (name, runner, dropped)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cd load", "cd is a command of the shell; change the folder first"),
        ("source .venv/bin/activate", "source is a command of the shell; activate the environment first"),
        ("bash -c 'cd load && locust'", "bash -c is given more than one plain command"),
        ("env -u A locust", "env -u before the command is not understood"),
        ("timeout 60", "no command after --"),
    ],
)
def test_what_is_of_the_shell_is_refused_with_what_to_type(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        typed(line)
