"""Shards put together: the report of one machine, or a refusal that names what does not fit; nothing is lost or doubled."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from repro.core.matrix.conclusion import conclude
from repro.core.matrix.shards import share
from repro.errors import ReproError, StoreError, UsageError
from repro.model import (
    Bound,
    Cell,
    EnvironmentSpec,
    Hang,
    HangClass,
    Limits,
    Machine,
    Operations,
    Plan,
    Shard,
    Trial,
    Verdict,
)
from repro.presentation.reports.document import document
from repro.presentation.reports.markdown import markdown
from repro.presentation.reports.report import redacted_report, report_of
from repro.world.runs.merge import merge, read_parts
from repro.world.runs.store import FILE, create_run, open_run, read_run
from repro.world.runs.this_machine import of_this_machine

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
FACTORS = [{"client": client, "users": users} for client in ("shared", "per-iteration") for users in (5, 10, 20)]
CELLS = tuple(
    Cell(
        id=f"c{number}", label=f"client={one['client']} users={one['users']}", scenario="s", factors=one, settings={},
        environ={}, environment=EnvironmentSpec(), named=("client", "users"),
    )
    for number, one in enumerate(FACTORS)
)  # fmt: skip
PLAN = Plan(experiment="my.toml", scenario="s", cells=CELLS, varied=("client", "users"), trials=3, limits=Limits())
COMMAND = "repro run my.toml --trials 3"
INPUTS = {"locustfile mine.py": "d1", "experiment file my.toml": "d2"}
HANG = Hang(
    hang_class=HangClass.FROZEN, users_stuck=2, users=5, stuck_since_s=1, bound=Bound(at_most_s=None), fingerprint="f"
)


def made(cell: Cell, number: int) -> Trial:
    """The same trial whoever makes it: with per-iteration and 20 users the second of three hangs."""
    has_hung = cell.factors["client"] == "per-iteration" and cell.factors["users"] == 20 and number == 2
    return Trial(
        cell_id=cell.id, number=number, verdict=Verdict.HANG if has_hung else Verdict.CLEAN,
        started=STARTED + timedelta(seconds=number), seconds=2.5, reason="", hang=HANG if has_hung else None,
        operations=Operations(begun=10, ended=10), seed=number, evidence=f"{cell.id}-{number}", command=COMMAND,
    )  # fmt: skip


def store_of(folder: Path, shard: Shard | None, *, host: str = "here", **facts: object) -> Path:
    """A run of all trials, or of those of a shard, on a machine."""
    told = {"plan": PLAN, "command": COMMAND, "seed": 0, "machine": {"cores": "2"}, "tool_versions": {"repro": "1"}}
    if shard is not None:
        told["command"] = f"{COMMAND} --shard {shard} --out part{shard.number}"
    inputs = facts.pop("inputs", INPUTS)
    with create_run(folder, **{**told, **facts}, started=STARTED) as store:  # type: ignore[arg-type]
        plan = store.read().plan
        own = {cell.id: tuple(range(1, plan.trials + 1)) for cell in plan.cells}
        if shard is not None:
            store.keep_shard(shard)
            own = dict(share(plan.cells, trials=plan.trials, shard=shard))
        store.keep_inputs(inputs)  # type: ignore[arg-type]
        store.on_machine(Machine(host=host, system="Linux", cores=2, python="3.11", users=("ursula",)))
        for cell in plan.cells:
            for number in own.get(cell.id, ()):
                store.evidence_folder(cell.id, number).mkdir()
                (store.evidence_folder(cell.id, number) / "stdout.txt").write_text(f"{cell.id} {number}")
                store.add_trial(made(cell, number))
        store.set_conclusion(conclude(store.read().cells, plan.varied))
        store.finish(at=STARTED + timedelta(minutes=1))
    return folder


def parts_of(tmp_path: Path, of: int) -> list[Path]:
    return [store_of(tmp_path / f"part{number}", Shard(number, of), host=f"box{number}") for number in range(1, of + 1)]


@pytest.mark.parametrize("of", [1, 2, 5, 30])
def test_the_report_is_that_of_one_machine(of: int, tmp_path: Path) -> None:
    merged = tmp_path / "whole"
    merge(read_parts(parts_of(tmp_path, of)), merged).close()
    alone = read_run(store_of(tmp_path / "alone", None))
    together = read_run(merged)
    assert together.plan == alone.plan
    assert together.conclusion == alone.conclusion
    assert together.shard is None
    ours, theirs = document(report_of(alone)), document(report_of(together))
    assert {trial["machine"] for cell in theirs["cells"] for trial in cell["trials"]} <= {
        machine["name"] for machine in theirs["machines"]
    }
    assert sum(machine["trials"] for machine in theirs["machines"]) == len(CELLS) * PLAN.trials
    for one in (ours, theirs):
        for key in ("run_dir", "run_id", "machines"):
            del one[key]
        for cell in one["cells"]:
            if hosts := cell.pop("hosts"):
                assert [sum(host[key] for host in hosts) for key in ("hangs", "trials")] == [
                    cell["rate"]["hits"], cell["rate"]["n"],
                ]  # fmt: skip
            for trial in cell["trials"]:
                del trial["machine"]
    assert theirs == ours

    def text(folder: Path) -> str:
        whole = markdown(report_of(read_run(folder)), reproducer="").replace(str(folder), "RUN")
        return re.sub(r"; box\d+ \d+ of [^|]*(?= \|)", "", whole)  # beside each rate those of the hosts

    assert text(merged) == text(tmp_path / "alone").replace("alone", "whole")


def test_the_evidence_is_copied_and_stays_where_it_was(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, 4)
    merge(read_parts(parts), tmp_path / "whole").close()
    for part in parts:
        shutil.rmtree(part)
    run = read_run(tmp_path / "whole")
    for result in run.cells:
        for trial in result.trials:
            assert (run.folder / trial.evidence / "stdout.txt").read_text() == f"{result.cell.id} {trial.number}"


def test_a_merged_run_can_be_gone_on_with(tmp_path: Path) -> None:
    merge(read_parts(parts_of(tmp_path, 3)), tmp_path / "whole").close()
    with open_run(tmp_path / "whole") as store:
        assert len(store.finished_trials()) == len(CELLS) * PLAN.trials
        assert store.inputs() == INPUTS


def test_who_ran_what_is_redacted_but_told_apart(tmp_path: Path) -> None:
    merge(read_parts(parts_of(tmp_path, 3)), tmp_path / "whole").close()
    run = read_run(tmp_path / "whole")
    shown = document(redacted_report(report_of(run), of_this_machine(machines=run.machines)))
    text = json.dumps(shown)
    assert "box" not in text
    assert "ursula" not in of_this_machine(machines=run.machines)("by ursula on box2")
    assert [machine["name"] for machine in shown["machines"]] == ["host-1", "host-2", "host-3"]
    ran = {trial["machine"] for cell in shown["cells"] for trial in cell["trials"]}
    assert ran == {"host-1", "host-2", "host-3"}


def _other_version(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", Shard(2, 3), tool_versions={"repro": "2"})


def _other_load(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", Shard(2, 3), inputs={**INPUTS, "locustfile mine.py": "d9"})


def _other_cells(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", Shard(2, 3), plan=replace(PLAN, cells=CELLS[:-1]))


def _other_trials(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", Shard(2, 3), plan=replace(PLAN, trials=4))


def _other_seed(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", Shard(2, 3), seed=7)


def _other_count(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", Shard(2, 4))


def _other_experiment(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", Shard(2, 3), plan=replace(PLAN, experiment="yours.toml"))


def _whole(tmp_path: Path) -> Path:
    return store_of(tmp_path / "odd", None)


def _interrupted(tmp_path: Path) -> Path:
    folder = store_of(tmp_path / "odd", Shard(2, 3))
    with open_run(folder) as store:
        trial = store.finished_trials()[0]
        store.add_trial(replace(trial, verdict=Verdict.INTERRUPTED))
        store.finish()
    return folder


def _cut_in_half(tmp_path: Path) -> Path:
    folder = store_of(tmp_path / "odd", Shard(2, 3))
    whole = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(whole[: len(whole) // 2])
    return folder


def _without_evidence(tmp_path: Path) -> Path:
    folder = store_of(tmp_path / "odd", Shard(2, 3))
    shutil.rmtree(next((folder / "evidence").iterdir()))
    return folder


def _killed(tmp_path: Path) -> Path:
    folder = store_of(tmp_path / "odd", Shard(2, 3))
    with open_run(folder) as store:
        trial = store.finished_trials()[0]
        store.drop_trial(trial.cell_id, trial.number)
    return folder


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (
            _other_version,
            "odd is not of the same run as {}/part1, by its version of repro (2, not 1); leave it out, or run",
        ),
        (_other_load, "odd is not of the same run as {}/part1, by its locustfile mine.py (d9, not d1); leave"),
        (_other_cells, "odd is not of the same run as {}/part1, by its cells; leave it out"),
        (_other_trials, "by its trials of each cell (4, not 3); leave"),
        (_other_seed, "by its seed (7, not 0)"),
        (_other_count, "by its number of shards (4, not 3)"),
        (_other_experiment, "by its experiment (yours.toml, not my.toml)"),
        (_whole, "odd is a whole run, made without --shard; leave it out, and merge the shards of one run"),
        (
            _interrupted,
            "shard 2/3 in {}/odd lacks 1 trial; continue it with: repro run my.toml --trials 3 --shard 2/3 --out",
        ),
        (_killed, "shard 2/3 in {}/odd lacks 1 trial; continue it with: repro run"),
        (_cut_in_half, "odd"),
        (_without_evidence, "shard 2/3 in {}/odd lacks its evidence evidence/"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(
    odd: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    parts = parts_of(tmp_path, 3)
    with pytest.raises((UsageError, StoreError)) as refused:
        merge(read_parts([parts[0], odd(tmp_path), parts[2]]), tmp_path / "whole")
    assert said.format(tmp_path) in str(refused.value)
    assert refused.value.parts[1], "the next step is missing"
    assert not (tmp_path / "whole").exists()


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ([0, 2], "shard 2/3 is missing; run it with: repro run my.toml --trials 3 --shard 2/3 --out part2"),
        ([2], "shards 1/3, 2/3 are missing; run the first with: repro run my.toml --trials 3 --shard 1/3 --out part1"),
        ([0, 1, 1, 2], "shard 2/3 was given twice, in {0}/part2 and {0}/part2; leave one out"),
    ],
)
def test_each_shard_must_be_there_once(chosen: list[int], said: str, tmp_path: Path) -> None:
    parts = parts_of(tmp_path, 3)
    with pytest.raises(ReproError) as refused:
        read_parts([parts[number] for number in chosen])
    assert said.format(tmp_path) in str(refused.value)


def test_a_shard_that_was_delivered_twice_is_named(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, 3)
    shutil.copytree(parts[1], tmp_path / "again")
    with pytest.raises(UsageError, match=r"shard 2/3 was given twice, in .*/part2 and .*/again; leave one out"):
        read_parts([*parts, tmp_path / "again"])


def test_a_shard_holds_only_the_cells_that_have_a_trial_in_it(tmp_path: Path) -> None:
    run = read_run(store_of(tmp_path / "part", Shard(1, 30)))
    assert len(run.cells) == 1
    assert len(run.plan.cells) == len(CELLS)
    assert document(report_of(run))["shard"] == "1/30"


def test_a_host_that_does_not_agree_with_the_others_is_named(tmp_path: Path) -> None:
    """One of two machines hangs in every cell of ten, the other in none."""
    cells = tuple(replace(CELLS[0], id=f"c{number}", label=f"cell {number}") for number in range(10))
    plan = replace(PLAN, cells=cells, trials=2)
    with create_run(
        tmp_path / "both", plan=plan, command=COMMAND, seed=0, machine={}, tool_versions={"repro": "1"}, started=STARTED
    ) as store:
        for host in ("good.example", "bad.example"):
            store.on_machine(Machine(host=host, load=0.5))
            store.keep_capacity("moto", 200.0 if host.startswith("good") else 20.0)
            for cell in cells:
                hang = HANG if host.startswith("bad") else None
                number = 2 if hang else 1
                verdict = Verdict.HANG if hang else Verdict.CLEAN
                store.add_trial(replace(made(cell, number), number=number, verdict=verdict, hang=hang))
        store.set_conclusion(conclude(store.read().cells, plan.varied))
    report = report_of(read_run(tmp_path / "both"))
    (line,) = [line for line in report.answer if line.head == "Hosts:"]
    assert line.text.startswith("bad.example hung in 10 of 10 trials, other hosts in 0 of 10 of the same cells")
    assert line.text in report.sentences
    told = redacted_report(report, lambda text: text)
    (line,) = [line for line in told.answer if line.head == "Hosts:"]
    assert line.text.startswith("host-2 hung in 10 of 10 trials")
    assert "; host-2 1 of 1, host-1 0 of 1 |" in markdown(told)
    assert "example" not in markdown(told)
    machines = document(told)["machines"]
    assert [(one["load"], one["capacities"]) for one in machines] == [(0.5, {"moto": 200.0}), (0.5, {"moto": 20.0})]
