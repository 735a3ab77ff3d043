"""Every scenario is complete, and its files can be read by the oldest interpreter that a cell may have."""

import ast
import tomllib
from pathlib import Path

import pytest

from repro.world.shipped.truths import read_truths

ROOT = Path(__file__).parents[2] / "scenarios"
FOLDERS = sorted(path.parent for path in ROOT.rglob("scenario.toml"))
TRUTHS = read_truths(ROOT)
OLDEST = (3, 8)
VERDICTS = {"inconclusive", "clean", "hang", "crash", "failing"}
CLASSES = {"frozen", "spinning", "deadlocked", "unanswered", "unstoppable"}


def name_of(folder):
    return folder.relative_to(ROOT).as_posix()


def test_the_scenarios_are_there():
    assert {"locust-2637", "gevent-urllib3", "known/clean"} <= {name_of(folder) for folder in FOLDERS} | set(TRUTHS)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_scenario_is_complete(folder):
    scenario = tomllib.loads((folder / "scenario.toml").read_text())
    assert scenario["summary"]
    assert scenario["requires"]
    assert (folder / "README.md").read_text().startswith(f"# {folder.name}\n")
    for factor in scenario.get("factors", {}).values():
        assert factor["help"]
        assert factor["default"] in factor.get("values", [factor["default"]])  # without values it is any number or text


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=name_of)
def test_a_program_is_read_by_the_oldest_interpreter(path):
    ast.parse(path.read_text(), filename=str(path), feature_version=OLDEST)


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_an_experiment_names_its_own_scenario(folder):
    files = [path for path in folder.glob("*.toml") if path.name != "scenario.toml"]
    assert folder / "experiment.toml" in files
    for path in files:
        experiment = tomllib.loads(path.read_text())
        assert experiment["scenario"] == name_of(folder)
        assert experiment["summary"]
        assert experiment["trials"] >= 1


@pytest.mark.parametrize("name", TRUTHS)
def test_a_planted_truth_is_complete(name):
    truth = TRUTHS[name]
    assert truth.summary
    assert truth.claim
    assert truth.requires
    assert truth.locustfile.is_file()
    for factor in truth.factors.values():
        assert factor["help"]
        assert factor["default"] in factor["values"]
    for text in truth.experiments.values():
        experiment = tomllib.loads(text)
        assert experiment["scenario"] == name
        assert experiment["summary"]
        assert experiment["trials"] >= 1


@pytest.mark.parametrize("name", TRUTHS)
def test_a_planted_truth_says_what_must_come_out(name):
    expected = TRUTHS[name].expected
    verdicts = expected["verdict"] if isinstance(expected["verdict"], list) else [expected["verdict"]]
    assert set(verdicts) <= VERDICTS
    assert ("hang" in verdicts) == (expected.get("hang_class") in CLASSES)
    assert "hang" in verdicts or "users_stuck" not in expected


def test_every_load_of_a_planted_truth_is_in_the_table():
    loads = {path.stem for path in (ROOT / "known").glob("*.py")} - {"planted"}
    assert {f"known/{name}" for name in loads} == set(TRUTHS)
