"""``repro report`` as it is typed: the latest run, the exit code by ``--fail-on``, the evidence's links, the schema."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from repro.answer import AnswerKind, BisectionAnswer, BisectionRecord, KeptProbe, ReleaseTrials
from repro.cli.report import command
from repro.model import Trial, Verdict
from repro.presentation.hunt.bisected import bisected_of, picture
from repro.presentation.reports.document import document, text_of
from repro.presentation.reports.report import report_of
from repro.world.runs.store import create_run


@pytest.fixture
def kept(stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``kept("name", *verdicts)`` is a run in ``repro-runs`` of the current folder; it hangs unless said otherwise."""
    monkeypatch.chdir(tmp_path)

    def make(name: str, *verdicts: Verdict) -> Path:
        run = stored(cells=len(verdicts) or 3, text="t")
        folder = Path("repro-runs") / name
        with create_run(folder, plan=run.plan, command="repro run", seed=0, machine={}, tool_versions={}) as store:
            for index, result in enumerate(run.cells):
                (trial,) = result.trials
                evidence = store.evidence_folder(trial.cell_id, 1)
                evidence.mkdir(parents=True)
                (evidence / "stdout.txt").write_text("said")
                store.add_trial(_with(trial, verdicts[index] if verdicts else trial.verdict, evidence))
            store.finish()
        return folder

    return make


def _with(trial: Trial, verdict: Verdict, evidence: Path) -> Trial:
    return replace(trial, verdict=verdict, hang=trial.hang if verdict is Verdict.HANG else None, evidence=evidence.name)


def report(*arguments: str):
    return CliRunner().invoke(command, arguments)


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "code"),
    [
        ((Verdict.HANG, Verdict.CLEAN), None, 0),
        ((Verdict.HANG, Verdict.CLEAN), "hang,untestable", 1),
        ((Verdict.HANG, Verdict.CLEAN), "untestable", 0),
        ((Verdict.UNTESTABLE, Verdict.CLEAN), "hang,untestable", 3),
        ((Verdict.CRASH, Verdict.CLEAN), "hang,untestable", 0),
        ((Verdict.CRASH, Verdict.CLEAN), "crash", 1),
        ((Verdict.CLEAN, Verdict.CLEAN), "hang,untestable", 0),
        ((Verdict.BACKEND, Verdict.CLEAN), "hang", 4),
        ((Verdict.HANG, Verdict.UNTESTABLE), "none", 0),
        ((Verdict.BACKEND, Verdict.CLEAN), "none", 0),  # as when it is left out
        ((Verdict.INTERRUPTED, Verdict.CLEAN), "hang", 130),
    ],
)
def test_the_exit_code_is_decided_by_fail_on(kept, verdicts, fail_on, code: int) -> None:
    kept("one", *verdicts)
    assert report(*(("--fail-on", fail_on) if fail_on else ())).exit_code == code


def test_without_a_name_it_is_the_latest_run(kept) -> None:
    kept("earlier", Verdict.CLEAN)
    kept("later", Verdict.CRASH)
    assert json.loads(report("--format", "json").stdout)["run_id"] == "later"


def test_the_page_lies_in_the_runs_folder_and_links_what_is_there(kept) -> None:
    folder = kept("one")
    assert report("--format", "html").exit_code == 0
    links = re.findall(r'"files":\[\["stdout.txt","(.*?)"\]\]', (folder / "report.html").read_text("utf-8"))
    assert len(links) == 3
    assert all((folder / link).read_text() == "said" for link in links)


def test_a_page_above_the_run_links_too_and_one_elsewhere_does_not(kept, tmp_path: Path) -> None:
    kept("one")
    assert report("--format", "html", "-o", "above.html").exit_code == 0
    assert '"./repro-runs/one/evidence/' in Path("above.html").read_text("utf-8")
    (tmp_path / "elsewhere").mkdir()
    done = report("--format", "html", "-o", "elsewhere/page.html")
    assert "without links" in done.stderr
    assert '"files":[]' in Path("elsewhere/page.html").read_text("utf-8")


def test_an_exported_file_goes_into_the_markdown(kept) -> None:
    folder = kept("one")
    assert "uv run reproduce.py" not in report().stdout
    (folder / "reproduce.py").write_text("print('it hangs')\n")
    assert "```python\nprint('it hangs')\n```" in report().stdout


HUNT = BisectionRecord(
    hunted=None,
    answer=BisectionAnswer(
        kind=AnswerKind.FIRST_FIXED,
        package="n",
        confidence=0.96,
        releases=(ReleaseTrials(name="0", hangs=2, trials=2), ReleaseTrials(name="1", trials=5)),
        release="1",
        previous="0",
    ),
    probes=(KeptProbe(release="1", cell_id="0" * 12, number=1, hang=False),),
)


def test_the_text_of_the_document_is_json_that_keeps_to_the_schema(stored, schema) -> None:
    for run in (stored(), stored(hunt=HUNT), stored(cells=1)):
        whole = document(report_of(run))
        assert json.loads(text_of(whole)) == json.loads(json.dumps(whole))
        jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker()).validate(
            json.loads(text_of(whole))
        )


def test_the_schema_refuses_what_is_missing_or_of_another_kind(stored, schema) -> None:
    for change in ({"schema": "repro.run/2"}, {"cells": [{}]}, {"seed": "0"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**json.loads(text_of(document(report_of(stored())))), **change}, schema())


def test_the_cure_is_marked_in_the_bisections_picture(stored) -> None:
    assert HUNT.answer is not None
    found = picture(HUNT.answer, names=("0", "1", "2"))
    assert [(row.name, row.mark, row.skipped) for row in found.rows] == [
        ("0", "last that hangs", 0),
        ("1", "first that is fixed, 96 % sure", 0),
        ("", "", 1),
    ]
    assert bisected_of(stored()) is None


def test_a_run_begun_long_ago_is_told_by_its_moment(kept) -> None:
    kept("one")
    started = json.loads(report("--format", "json").stdout)["started"]
    assert datetime.fromisoformat(started) <= datetime.now(UTC)
