"""From an experiment to its cells: how many, which, with what id, label and environment."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from repro.core.experiment.assignments import override
from repro.core.experiment.experiment import Experiment, ScenarioInfo
from repro.core.experiment.factors.catalogue import COMMON
from repro.core.experiment.factors.factor import Factor, LevelType
from repro.core.experiment.file import parse
from repro.core.experiment.plan import Planned, make_plan
from repro.errors import ExperimentError
from repro.model import Cell, Level
from repro.orchestration.preparation import RunRequest, prepare
from repro.world.shipped.names import list_experiments
from repro.world.shipped.scenarios import find_experiment

SCENARIO = ScenarioInfo(name="s", requires=("locust",))
INTERPRETER = Path("/some/bin/python")
STACKS = """
[stacks]
old = { as_of = 2023-02-15, locust = "2.14.2" }
new = { as_of = 2024-03-15, locust = "2.24.0", configargparse = "1.7" }
"""


def read(text: str = "", *sets: str) -> Experiment:
    found = parse(f'scenario = "s"\n{text}', SCENARIO, source="my.toml", name="my")
    return override(found, sets, SCENARIO)


def planned(text: str = "", *sets: str, interpreter: Path | None = None) -> Planned:
    return make_plan(read(text, *sets), SCENARIO, interpreter=interpreter)


def cells(text: str = "", *sets: str) -> tuple[Cell, ...]:
    return planned(text, *sets).plan.cells


def pairs(found: Sequence[Cell], *names: str) -> list[tuple[Level, ...]]:
    return [tuple(cell.factors[name] for name in names) for cell in found]


def test_without_factors_there_is_one_cell_with_all_defaults() -> None:
    (cell,) = cells()
    assert cell.label == "all defaults"
    assert cell.named == ()
    assert (cell.settings["users"], cell.settings["client"]) == (200, "per-iteration")
    assert cell.environment.requires == ("locust",)
    assert (cell.environment.python, dict(cell.environment.pins), cell.environment.as_of) == ("", {}, None)


def test_cells_are_the_product_in_the_order_of_the_file() -> None:
    plan = planned('[settings]\nclient = ["per-user", "shared"]\nusers = 3\ntls = [true, false]').plan
    assert pairs(plan.cells, "client", "tls") == [
        ("per-user", True),
        ("per-user", False),
        ("shared", True),
        ("shared", False),
    ]
    assert plan.varied == ("client", "tls")
    assert plan.cells[0].label == "client=per-user tls=true"
    assert plan.cells[0].named == ("client", "tls")
    assert {cell.settings["users"] for cell in plan.cells} == {3}
    assert (plan.experiment, plan.scenario, plan.trials) == ("my", "s", 3)


def test_a_label_of_a_single_cell_names_what_is_not_usual() -> None:
    assert cells('[settings]\nusers = 200\ntls = true\n[packages]\nlocust = ["latest"]')[0].label == (
        "locust=none tls=true"
    )


def test_a_stack_gives_its_bundle_and_a_factor_of_its_own_wins() -> None:
    old, new = cells(STACKS)
    assert old.environment.pins == {"locust": "2.14.2"}
    assert old.environment.as_of == date(2023, 2, 15)
    assert new.environment.pins == {"locust": "2.24.0", "configargparse": "1.7"}
    assert new.label == "stack=new"
    old, new = cells(STACKS, "configargparse=1.5", "users=7", "python=3.10")
    assert (old.environment.pins, new.environment.pins) == (
        {"locust": "2.14.2", "configargparse": "1.5"},
        {"locust": "2.24.0", "configargparse": "1.5"},
    )
    assert {(cell.environment.python, cell.settings["users"]) for cell in (old, new)} == {("3.10", 7)}


def test_cells_with_one_environment_share_its_request() -> None:
    found = cells('[settings]\nclient = ["shared", "per-user"]\n[packages]\nlocust = ["2.14.2", "2.24.0"]')
    assert len({id(cell.environment) for cell in found}) == 2


def test_variables_of_the_environment_reach_the_cell() -> None:
    found = cells('[env]\nSKIP = ["", "1"]')
    assert [cell.environ for cell in found] == [{"SKIP": ""}, {"SKIP": "1"}]
    assert [cell.label for cell in found] == ["env.SKIP=none", "env.SKIP=1"]


def test_a_distribution_that_looks_like_a_setting_is_one() -> None:
    (cell,) = cells("", "packages.usres=3.0")
    assert cell.environment.pins == {"usres": "3.0"}
    assert "usres" not in cell.settings


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ('client = "shared"', [("per-user", 1), ("per-user", 2)]),
        ('client = "shared"\nusers = 1', [("shared", 2), ("per-user", 1), ("per-user", 2)]),
        ("tls = false\nusers = 2", [("shared", 1), ("per-user", 1)]),  # a default counts as a level
        ("tls = true", [("shared", 1), ("shared", 2), ("per-user", 1), ("per-user", 2)]),
    ],
)
def test_a_rule_leaves_out_the_cells_that_match_all_its_keys(rule: str, left: list[tuple[Level, ...]]) -> None:
    found = cells(f'[settings]\nclient = ["shared", "per-user"]\nusers = [1, 2]\n[[exclude]]\n{rule}')
    assert pairs(found, "client", "users") == left


def test_a_rule_sees_what_a_stack_gives() -> None:
    found = cells(f'{STACKS}\n[settings]\ntls = [false, true]\n[[exclude]]\nlocust = "2.14.2"\ntls = true')
    assert pairs(found, "stack", "tls") == [("old", False), ("new", False), ("new", True)]


def test_rules_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ExperimentError, match=r"my: the \[\[exclude\]\] rules leave no cell; remove one"):
        cells('[[exclude]]\nclient = "per-iteration"')


def test_what_is_asked_for_in_full_is_run_whatever_the_rules_say() -> None:
    text = f'{STACKS}\n[settings]\nclient = ["shared", "per-user"]\n[[exclude]]\nstack = "old"\nclient = "per-user"'
    assert pairs(cells(text, "stack=old"), "stack", "client") == [("old", "shared")]
    assert pairs(cells(text, "stack=old", "client=per-user"), "stack", "client") == [("old", "per-user")]


CLIENTS = '[settings]\nclient = ["shared", "per-user"]\nusers = [1, 2, 3]\n'


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ('[[include]]\nclient = "shared"', [("shared", 1), ("shared", 2), ("shared", 3)]),
        ('[[include]]\nusers = [3, 1]\nclient = "per-user"', [("per-user", 1), ("per-user", 3)]),
        (
            '[[include]]\nusers = 3\n[[include]]\nclient = "shared"\nusers = [3, 1]',
            [("shared", 1), ("shared", 3), ("per-user", 3)],
        ),
        ("[[include]]\ntls = false\nusers = 2", [("shared", 2), ("per-user", 2)]),  # a default counts as a level
        (
            '[[include]]\nusers = [1, 2]\n[[exclude]]\nclient = "shared"\nusers = [2, 3]',
            [("shared", 1), ("per-user", 1), ("per-user", 2)],
        ),
    ],
)
def test_what_is_included_is_all_that_is_run_in_the_order_of_the_product(rules: str, kept: list[object]) -> None:
    assert pairs(cells(f"{CLIENTS}{rules}"), "client", "users") == kept


def test_an_include_sees_what_a_stack_gives() -> None:
    found = cells(f'{STACKS}\n[settings]\ntls = [false, true]\n[[include]]\nlocust = "2.14.2"\ntls = true')
    assert pairs(found, "stack", "tls") == [("old", True)]


def test_a_cell_is_the_same_whether_it_is_included_or_not_excluded() -> None:
    included = cells(f'{CLIENTS}[[include]]\nclient = "shared"\nusers = [1, 2]')
    left = cells(f'{CLIENTS}[[exclude]]\nclient = "per-user"\n[[exclude]]\nusers = 3')
    assert [(cell.id, cell.label) for cell in included] == [(cell.id, cell.label) for cell in left]


@pytest.mark.parametrize(
    ("sets", "kept"),
    [
        (["users=2"], [("shared", 2)]),  # a level that the file has is where the file wants it
        (["users=2,7"], [("shared", 2), ("shared", 7), ("per-user", 7)]),  # the file says nothing of 7
        (["client=per-user", "users=2"], [("per-user", 2)]),  # what is asked for in full is run
        (["tls=yes"], [("shared", 1), ("shared", 2), ("per-user", 3)]),
    ],
)
def test_the_command_line_goes_beyond_what_is_included(sets: list[str], kept: list[object]) -> None:
    text = f'{CLIENTS}[[include]]\nclient = "shared"\nusers = [1, 2]\n[[include]]\nclient = "per-user"\nusers = 3'
    assert pairs(cells(text, *sets), "client", "users") == kept


def test_what_is_included_stays_so_where_a_factor_is_left_out() -> None:
    text = f'{STACKS}{CLIENTS}[[include]]\nstack = "old"\nusers = 1\n[[include]]\nclient = "shared"\nusers = 2'
    kept = [("shared", 1), ("shared", 2), ("per-user", 1)]
    assert pairs(cells(text, "stack=none"), "client", "users") == kept
    assert pairs(planned(text, interpreter=INTERPRETER).plan.cells, "client", "users") == kept


def test_rules_that_leave_nothing_of_what_is_included_are_refused() -> None:
    text = f'{CLIENTS}[[include]]\nclient = "shared"\nusers = 1\n[[exclude]]\nusers = 1'
    with pytest.raises(ExperimentError, match=r"my: the \[\[include\]\] and \[\[exclude\]\] rules leave no cell; "):
        cells(text)


def test_a_few_cells_of_a_product_without_end_are_planned_at_once() -> None:
    levels = list(range(1, 1001))
    text = f"[settings]\nusers = {levels}\nread_timeout = {levels}\nmessages = {levels}\n"
    block = "[[include]]\nusers = {0}\nread_timeout = {0}\nmessages = {0}\n"
    found = cells(text + block.format(7) + block.format([1, 1000]))
    assert len(found) == 1 + 2**3
    with pytest.raises(
        ExperimentError, match=r"my: more than 100000 cells; give fewer levels, or narrower \[\[include"
    ):
        cells(f"{text}[[include]]\nusers = 7")


def test_stacks_can_be_left_out() -> None:
    found = cells(
        f'{STACKS}\n[settings]\nusers = [1, 2]\n[[exclude]]\nstack = "old"\nusers = 2', "stack=none", "gevent=24.2.1"
    )
    assert pairs(found, "users") == [(1,), (2,)]
    assert [(cell.environment.pins, cell.environment.as_of) for cell in found] == [({"gevent": "24.2.1"}, None)] * 2


def test_five_thousand_cells_are_planned_and_all_differ() -> None:
    text = f"[settings]\nusers = {list(range(1, 51))}\nread_timeout = {list(range(1, 51))}\ntls = [true, false]"
    found = cells(text)
    assert len(found) == len({cell.id for cell in found}) == 5000
    assert len(cells(f"{text}\n[[exclude]]\nusers = 7")) == 4900


def test_too_many_cells_are_refused_before_they_are_made() -> None:
    levels = list(range(1, 1001))
    text = f"[settings]\nusers = {levels}\nread_timeout = {levels}\nmessages = {levels}"
    with pytest.raises(ExperimentError, match="my: 1000000000 cells; give fewer levels, 100000 are the most") as caught:
        cells(text)
    assert str(caught.value).endswith(
        "name the cells that matter by [[include]], or run few that cover the others by --cover 2"
    )


def by_levels(experiment: Experiment, scenario: ScenarioInfo = SCENARIO) -> Mapping[tuple[object, ...], str]:
    names = sorted(experiment.factors)
    found = make_plan(experiment, scenario).plan.cells
    return {tuple(cell.factors[name] for name in names): cell.id for cell in found}


@pytest.mark.parametrize("seed", range(5))
def test_ids_do_not_depend_on_the_order_of_factors_or_levels(seed: int) -> None:
    experiment = read(f'{STACKS}[packages]\ngevent = ["24.2.1", "25.9.1"]\n[settings]\ntls = [true, false]\nusers = 3')
    rng = random.Random(seed)
    names = rng.sample(sorted(experiment.factors), len(experiment.factors))
    shuffled = {name: tuple(rng.sample(experiment.factors[name], len(experiment.factors[name]))) for name in names}
    assert by_levels(replace(experiment, factors=shuffled)) == by_levels(experiment)


def test_ids_are_those_of_yesterday() -> None:
    """Written down: stored runs are resumed by them."""
    assert cells()[0].id == "56fb419ce05b"
    assert cells("", "users=3", "locust=2.24.0")[0].id == "fd1a09c710ea"


def test_ids_are_unchanged_by_defaults_spelt_out_or_added() -> None:
    ids = {cells()[0].id, cells("", "users=200")[0].id, cells("", "users=200.0", "fault=", "tls=no")[0].id}
    new = Factor(name="new", kind=LevelType.NUMBER, default=5, help="")
    added = ScenarioInfo(name="s", catalogue=COMMON.extended([new]))
    ids.add(make_plan(read(), added).plan.cells[0].id)
    assert len(ids) == 1


def test_ids_depend_on_scenario_and_levels_but_not_on_a_stacks_name() -> None:
    usual = cells("", "locust=2.24.0")[0].id
    assert cells('[stacks]\nanything = { locust = "2.24.0" }')[0].id == usual
    assert cells("", "locust=2.24.1")[0].id != usual
    assert make_plan(read("", "locust=2.24.0"), ScenarioInfo(name="other")).plan.cells[0].id != usual


def test_stacks_that_are_the_same_are_one_cell() -> None:
    assert len(cells('[stacks]\na = { locust = "2.24.0" }\nb = { locust = "2.24.0" }')) == 1


def test_an_interpreter_that_is_given_leaves_packages_out_and_says_so() -> None:
    packages = '[packages]\ngevent = ["24.2.1", "25.9.1"]\npython = "3.8"'
    text = f'{STACKS}{packages}\n[settings]\nclient = ["shared", "per-user"]'
    found = planned(text, interpreter=INTERPRETER)
    assert pairs(found.plan.cells, "client") == [("shared",), ("per-user",)]
    assert {cell.environment.interpreter for cell in found.plan.cells} == {INTERPRETER}
    assert all(not cell.environment.pins and not cell.environment.python for cell in found.plan.cells)
    (notice,) = found.notices
    assert notice.endswith("these factors of the experiment are left out: gevent, python, stack")


def test_an_interpreter_that_is_given_keeps_a_stacks_settings_and_says_what_is_gone() -> None:
    text = '[stacks]\nfew = { users = 5, locust = "2.14.2" }\nmany = { users = 50, as_of = 2024-03-15 }'
    found = planned(text, interpreter=INTERPRETER)
    assert pairs(found.plan.cells, "stack", "users") == [("few", 5), ("many", 50)]
    assert all(not cell.environment.pins and cell.environment.as_of is None for cell in found.plan.cells)
    (notice,) = found.notices
    assert notice.endswith("left out: as_of, locust")


def test_an_interpreter_that_takes_nothing_away_needs_no_notice() -> None:
    assert planned("[settings]\nusers = 3", interpreter=INTERPRETER).notices == ()


def test_rules_about_what_is_left_out_go_too() -> None:
    text = f'{STACKS}[settings]\ntls = [true, false]\n[[exclude]]\nstack = "old"\ntls = true\n[[exclude]]\ntls = false'
    assert pairs(planned(text, interpreter=INTERPRETER).plan.cells, "tls") == [(True,)]


@pytest.mark.parametrize("assignment", ["locust=2.24.0", "python=3.10", "as_of=2024-03-15", "packages.usres=1"])
def test_packages_that_were_typed_are_never_left_out(assignment: str) -> None:
    name = assignment.partition("=")[0].removeprefix("packages.")
    with pytest.raises(ExperimentError, match=rf"--set {re.escape(name)}=…: --python runs an environment as it is"):
        planned("", assignment, interpreter=INTERPRETER)


COUNTS = {
    "locust-2637/crossed": 2 * 3 * 3,
    "locust-2637/launch": 2 * 2 * 5,
    "locust-2637/backends": 2 * 2 * 2,
    "locust-2637/tls": 2 * 2 * 2,
    "locust-2637/timeouts": 16,
    "gevent-urllib3": 2 * 3,
    "known/together/matrix": 2**5,
}
MATRIX = """
0c85ee874f3d 2023-02 shared        locust-first 60 60 cli
bcc74db2e023 2023-02 per-iteration locust-first 60 60 cli
42cd66c8cc09 2023-02 per-iteration locust-first 60 60 library
fbb51a914d5b 2023-02 per-iteration boto3-first  60 60 library
397c7f910970 2024-03 shared        locust-first 60 60 cli
3c4190529144 2024-03 shared        locust-first 60 60 library
f5db5e447901 2024-03 per-user      locust-first 60 60 cli
20ed0f4a52df 2024-03 per-iteration locust-first 60 60 cli
fc2f270825be 2024-03 per-iteration locust-first 60 60 library
5acec3615619 2024-03 per-iteration locust-first 5  10 cli
eac549410e1f 2024-03 per-iteration boto3-first  60 60 cli
3365acf4f9f7 2024-03 per-iteration boto3-first  60 60 library
"""
SAID = re.compile(r"^# (\d+) cells of the (\d+):", re.MULTILINE)


@pytest.mark.parametrize("name", list_experiments())
def test_every_experiment_of_ours_is_planned(name: str) -> None:
    plan = prepare(RunRequest(experiment=name)).plan
    assert len(plan.cells) == COUNTS.get(name, 1 if name.startswith("known/") else len(plan.cells))
    assert len({cell.id for cell in plan.cells}) == len({cell.label for cell in plan.cells}) == len(plan.cells)
    assert prepare(RunRequest(experiment=name)).plan == plan


def test_the_matrix_of_the_report_has_as_many_cells_as_its_file_says() -> None:
    said = SAID.search(find_experiment("locust-2637").text)
    assert said is not None
    assert len(prepare(RunRequest()).plan.cells) == int(said[1])


def test_the_matrix_of_the_report_is_that_of_yesterday() -> None:
    """Written down with its ids when it was made by exclusions: stored runs are resumed by them."""
    varied = ("stack", "client", "import_order", "connect_timeout", "read_timeout", "launch")
    found = prepare(RunRequest()).plan
    assert found.varied == varied
    assert [(cell.id, *(str(cell.factors[name]) for name in varied)) for cell in found.cells] == [
        tuple(line.split()) for line in MATRIX.strip().splitlines()
    ]
    for cell in found.cells:
        assert cell.label == " ".join(f"{name}={cell.factors[name]}" for name in varied)


def test_a_package_that_is_left_free_is_installed_and_makes_another_cell() -> None:
    (without,), (free,), (pinned,) = cells(), cells("", "packages.grpcio="), cells("", "packages.grpcio=1.60.0")
    assert "grpcio" not in {*without.environment.requires, *without.environment.pins}
    assert (free.environment.requires, dict(free.environment.pins)) == ((*without.environment.requires, "grpcio"), {})
    assert dict(pinned.environment.pins) == {"grpcio": "1.60.0"}
    assert len({without.id, free.id, pinned.id}) == 3


def test_what_comes_in_by_itself_is_not_asked_for_twice() -> None:
    (cell,) = cells("", "locust=", "urllib3=latest")
    assert (cell.id, cell.environment) == (cells()[0].id, cells()[0].environment)
