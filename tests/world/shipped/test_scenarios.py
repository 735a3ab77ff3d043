"""What ``[EXPERIMENT]`` on the command line means: names, paths, own locustfiles, and slips of the pen."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from repro.core.experiment.factors.factor import LevelType
from repro.errors import ExperimentError, UsageError
from repro.orchestration.preparation import RunRequest, prepare
from repro.world.shipped.names import DEFAULT, list_experiments, list_scenarios, root
from repro.world.shipped.scenarios import (
    find_experiment,
    named,
    of_locustfile,
    scenario_for,
)


def test_the_names_are_those_of_the_folders() -> None:
    assert {DEFAULT, "gevent-urllib3", "known/clean"} <= set(list_scenarios())
    assert {DEFAULT, f"{DEFAULT}/crossed", "known/clean"} <= set(list_experiments())
    assert set(list_scenarios()) <= set(list_experiments())
    assert {"known/recovers", "known/recovers/late"} <= set(list_experiments())
    assert not [name for name in list_experiments() if name.endswith(("experiment", "scenario", "truths"))]


@pytest.mark.parametrize("name", list_experiments())
def test_every_experiment_is_found_with_its_scenario(name: str) -> None:
    source = find_experiment(name)
    assert source.name == name
    scenario = scenario_for(source)
    assert scenario.info.name == name.removesuffix(f"/{source.path.stem}").removesuffix("/late").removesuffix("/matrix")
    assert scenario.locustfile.is_file()
    assert scenario.info.requires
    assert prepare(RunRequest(experiment=name)).summary == tomllib.loads(source.text)["summary"]


def test_a_scenario_leaves_nothing_in_the_temporary_folder() -> None:
    """What it writes goes to its current folder, which the trial takes away: it is ended wherever it stands."""
    makes_folders = [path for path in root().rglob("*.py") if "mkdtemp" in path.read_text("utf-8")]
    assert makes_folders == []


def test_a_scenarios_own_factors_are_settings_of_its_experiments() -> None:
    pool_size = named("gevent-urllib3", where="").info.catalogue.factor("pool_size")
    assert pool_size.kind is LevelType.CHOICE
    assert (pool_size.default, pool_size.values) == ("10", ("1", "10", "100"))
    plan = prepare(RunRequest(experiment="gevent-urllib3", overrides=("pool_size=1,100",))).plan
    assert {cell.settings["pool_size"] for cell in plan.cells} == {"1", "100"}
    with pytest.raises(ExperimentError, match="pool_size cannot be '7'; choose 1, 10 or 100"):
        prepare(RunRequest(experiment="gevent-urllib3", overrides=("pool_size=7",)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("locust-2673", "unknown experiment 'locust-2673'; did you mean locust-2637?"),
        ("known/claen", "did you mean known/clean?"),
        ("zzz", "choose one of `repro list experiments`, or give the path of a TOML file"),
        ("locust-2637/scenario", "unknown experiment 'locust-2637/scenario'"),
        ("known/clean/scenario", "unknown experiment 'known/clean/scenario'"),
        ("known/truths", "unknown experiment 'known/truths'"),
        ("/no/such.toml", "unknown experiment '/no/such.toml'"),
        ("", "unknown experiment ''"),
    ],
)
def test_what_is_no_experiment_is_asked_about(name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_experiment(name)
    assert words in str(caught.value)


def test_a_file_of_ones_own_names_a_scenario_of_ours_or_a_locustfile_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('scenario = "known/clean"')
    source = find_experiment(str(file))
    assert (source.name, source.path) == (str(file), file)
    assert scenario_for(source).info.name == "known/clean"
    assert prepare(RunRequest(experiment=str(file))).summary == ""
    file.write_text('scenario = "load/mine.py"')
    with pytest.raises(
        ExperimentError, match=r"mine\.toml: scenario: the file .*mine\.py does not exist; give a name of"
    ):
        scenario_for(find_experiment(str(file)))
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "mine.py").write_text("")
    found = scenario_for(find_experiment(str(file)))
    assert (found.info.name, found.locustfile) == ("mine", tmp_path / "load" / "mine.py")
    assert {"locust", "boto3"} <= set(found.info.requires)


def test_a_scenario_that_is_not_there_names_the_file_and_a_near_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('scenario = "locust2637"')
    with pytest.raises(ExperimentError, match=r"mine\.toml: scenario: unknown scenario .*; did you mean locust-2637\?"):
        scenario_for(find_experiment(str(file)))


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b"scenario = '\xff\xfe'")
    with pytest.raises(UsageError, match=r"cannot read .*mine\.toml: .*; check the file"):
        find_experiment(str(file))


def test_a_locustfile_of_ones_own_takes_the_scenarios_place_with_the_experiments_factors(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("")
    prepared = prepare(RunRequest(experiment="gevent-urllib3", locustfile=mine, overrides=("pool_size=1",), trials=7))
    assert prepared.scenario.locustfile == mine
    assert (prepared.plan.scenario, prepared.plan.trials) == ("mine", 7)
    assert {cell.settings["pool_size"] for cell in prepared.plan.cells} == {"1"}
    with pytest.raises(UsageError, match=r"the locustfile .*other\.py does not exist; check the path"):
        of_locustfile(tmp_path / "other.py")


def test_factors_that_a_locustfile_of_ones_own_does_not_read_are_left_out_and_said(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("TIMEOUT = os.environ['REPRO_READ_TIMEOUT']")
    prepared = prepare(RunRequest(locustfile=mine))
    assert prepared.plan.varied == ("stack", "read_timeout", "launch")
    assert [tuple(cell.factors[name] for name in prepared.plan.varied) for cell in prepared.plan.cells] == [
        ("2023-02", 60, "cli"),
        ("2023-02", 60, "library"),
        ("2024-03", 60, "cli"),
        ("2024-03", 60, "library"),
        ("2024-03", 10, "cli"),
    ]
    (notice,) = prepared.notices
    assert notice.endswith("they are left out: client, connect_timeout, import_order, max_pool_connections")
    asked = prepare(RunRequest(locustfile=mine, overrides=("client=shared,per-user", "launch=cli")))
    assert "client" in asked.plan.varied
    assert asked.notices[-1].endswith("does not read REPRO_CLIENT: --set does not change them")


def test_a_locustfile_that_makes_the_names_reads_them_all(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text('os.environ["REPRO_" + name]')
    prepared = prepare(RunRequest(locustfile=mine))
    assert (len(prepared.plan.cells), prepared.notices) == (12, ())


def test_the_scenarios_lie_beside_the_package_or_in_it() -> None:
    assert (root() / DEFAULT / "scenario.toml").is_file()
