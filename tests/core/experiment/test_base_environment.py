"""Which environment a cell has when it is made from somebody's own."""

from __future__ import annotations

from pathlib import Path

from repro.core.experiment.assignments import override
from repro.core.experiment.experiment import ScenarioInfo
from repro.core.experiment.file import parse
from repro.core.experiment.plan import make_plan
from repro.model import BaseEnvironment, Cell

BASE = BaseEnvironment(
    interpreter=Path("/venv/bin/python"),
    python="3.11.7",
    versions={"locust": "2.24.0", "gevent": "24.2.1"},
    roots=("locust",),
    local={"mine": "0123"},
)


def cells(*assignments: str, words: str = "locust") -> tuple[Cell, ...]:
    info = ScenarioInfo(name="locustfile", identity=words, requires=(), base=BASE)
    text = 'scenario = "x"\n[stacks.old]\nlocust = "2.14.2"\nusers = 3\n[settings]\nseconds = [1, 2]\n'
    experiment = parse(text, info, source="x.toml", name="x").of_command(info)
    return make_plan(override(experiment, assignments, info), info).plan.cells


def test_without_a_package_it_is_that_environment_as_it_is() -> None:
    (cell,) = cells("users=3")
    assert cell.environment.interpreter == BASE.interpreter
    assert cell.environment.base is None


def test_a_release_that_it_has_already_changes_nothing() -> None:
    same, other = cells("gevent=24.2.1,25.9.1")
    assert same.environment.interpreter == BASE.interpreter
    assert (other.environment.interpreter, other.environment.base) == (None, BASE)
    assert other.environment.pins == {"gevent": "25.9.1"}


def test_an_interpreter_of_the_same_release_is_the_same() -> None:
    same, other = cells("python=3.11,3.12")
    assert same.environment.interpreter == BASE.interpreter
    assert (other.environment.python, other.environment.base) == ("3.12", BASE)


def test_a_package_without_a_release_is_installed_in_its_newest() -> None:
    (cell,) = cells("packages.grpcio=")
    assert (cell.environment.requires, cell.environment.base) == (("grpcio",), BASE)


def test_of_an_experiment_only_the_packages_of_its_stacks_are_left() -> None:
    (cell,) = cells("stack=old")
    assert cell.environment.pins == {"locust": "2.14.2"}
    assert cell.settings["users"] == 200


def test_the_cells_of_another_command_are_others() -> None:
    assert cells("users=3")[0].id != cells("users=3", words="locust -f other.py")[0].id
