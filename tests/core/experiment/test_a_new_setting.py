"""A setting is added in one place: a record that no other file has heard of arrives everywhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from repro.cli import inventory
from repro.core.experiment.assignments import override
from repro.core.experiment.experiment import ScenarioInfo
from repro.core.experiment.factors.catalogue import COMMON
from repro.core.experiment.factors.factor import Factor, LevelType, Reader
from repro.core.experiment.file import parse
from repro.core.experiment.plan import make_plan
from repro.core.search.shrinking import Recipe, reduced
from repro.errors import ExperimentError, UsageError
from repro.model import Cell, CellResult, CellVerdict, Plan, StoredRun, Trial, TrialOptions, Verdict
from repro.orchestration.export import recipe_of
from repro.presentation.reports.reproducer import reproducer
from repro.world.processes.variables import Surroundings, variables
from repro.world.runs.kept.locustfile import Locustfile
from repro.world.shipped.scenarios import unread_settings

PROXY_TRIES = Factor(
    name="proxy_tries",
    kind=LevelType.COUNT,
    default=3,
    least=1,
    most=9,
    read_by=Reader.LOCUSTFILE,
    decides_waits=True,
    botocore="proxies_config.tries",
    help="how often a proxy is asked",
)
MOOD = Factor(
    name="mood",
    kind=LevelType.CHOICE,
    default="grim",
    values=("grim", "merry", "odd"),
    plain="merry",
    in_one_file=("grim", "merry"),
    help="how the load feels",
)
CATALOGUE = COMMON.extended([PROXY_TRIES, MOOD])
SCENARIO = ScenarioInfo(name="s", catalogue=CATALOGUE)


def planned(text: str, *sets: str) -> Plan:
    experiment = parse(f'scenario = "s"\n{text}', SCENARIO, source="my.toml", name="my")
    return make_plan(override(experiment, sets, SCENARIO), SCENARIO).plan


def cells(text: str, *sets: str) -> tuple[Cell, ...]:
    return planned(text, *sets).cells


def recipe(text: str, *sets: str, load: Locustfile | None = None) -> Recipe:
    """The recipe of the one cell of an experiment, as if a trial of it had hung."""
    plan, now = planned(text, *sets), datetime.now(UTC)
    (cell,) = plan.cells
    trial = Trial(cell_id=cell.id, number=1, verdict=Verdict.HANG, reason="", started=now, seconds=1, python="3.11.7")
    result = CellResult(cell=cell, trials=(trial,), verdict=CellVerdict.HANG, rate=None)
    run = StoredRun(
        folder=Path("run"),
        run_id="run",
        plan=plan,
        command="",
        started=now,
        ended=None,
        seed=0,
        machine={},
        tool_versions={},
        cells=(result,),
    )
    return recipe_of(result, trial, title="it hangs", load=load, run=run, catalogue=CATALOGUE)


def test_the_file_and_the_command_line_know_it() -> None:
    two = cells("[settings]\nproxy_tries = [3, 9]\n[[include]]\nproxy_tries = [3, 9]", "mood=odd")
    assert [(cell.settings["proxy_tries"], cell.settings["mood"]) for cell in two] == [(3, "odd"), (9, "odd")]
    with pytest.raises(ExperimentError, match="proxy_tries cannot be 0; it takes a whole number, 1 to 9"):
        cells("[settings]\nproxy_tries = 0")
    with pytest.raises(ExperimentError, match="unknown factor 'proxy-trys', did you mean proxy_tries"):
        cells("", "proxy-trys=1")


def test_no_cell_changes_its_id_by_a_setting_that_is_at_its_default() -> None:
    experiment = parse('scenario = "s"', ScenarioInfo(name="s"), source="my.toml", name="my")
    assert cells("")[0].id == make_plan(experiment, ScenarioInfo(name="s")).plan.cells[0].id


def test_a_locustfile_reads_it_or_is_said_not_to(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("os.environ['REPRO_CLIENT']")
    assert {"proxy_tries", "client"} & unread_settings(mine, CATALOGUE) == {"proxy_tries"}
    assert "mood" not in unread_settings(mine, CATALOGUE)


def test_a_cell_carries_it(tmp_path: Path) -> None:
    (cell,) = cells("", "proxy_tries=9")
    options = TrialOptions(locustfile=tmp_path / "mine.py")
    around = Surroundings(
        options=options, interpreter=tmp_path / "python", folder=tmp_path, work=tmp_path, queue="q", stacks_signal=40
    )
    found = variables(cell, around)
    assert (found["REPRO_PROXY_TRIES"], found["REPRO_MOOD"]) == ("9", "grim")


def test_the_list_of_factors_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.core.experiment.factors.catalogue.COMMON", CATALOGUE)
    listed = json.loads(CliRunner().invoke(inventory.command, ["factors", "--json"]).stdout)
    assert {
        "factor": "proxy_tries",
        "default": "3",
        "takes": "a whole number, 1 to 9",
        "help": PROXY_TRIES.help,
    } in listed


def test_it_counts_where_waits_are_compared() -> None:
    assert CATALOGUE.of_waits - COMMON.of_waits == {"proxy_tries"}


def test_an_exported_file_holds_it() -> None:
    text = "[settings]\nproxy_tries = 9\nmood = 'grim'"
    assert recipe(text).settings == {"proxy_tries": 9}
    assert "CONFIG = Config(proxies_config={'tries': 9})" in reproducer(recipe(text))
    own = Locustfile(source="pass", modules={})
    assert recipe(text, load=own).variables == {"REPRO_QUEUE": "reproduce", "REPRO_PROXY_TRIES": "9"}
    with pytest.raises(UsageError, match="a cell with mood=odd does not fit into one file"):
        recipe(text, "mood=odd")


def test_a_reduction_tries_to_do_without_it() -> None:
    whole = recipe("[settings]\nproxy_tries = 9\nclient = 'shared'")
    tried: list[str] = []
    small = reduced(whole, explicit=(), hangs=lambda _: True, hangs_surely=lambda _: True, say=tried.append)
    assert small.settings == {"client": "shared", "mood": "merry"}
    assert tried == ["without proxy_tries", "with mood=merry"]
