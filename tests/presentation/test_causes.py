"""What a run of causes says: a line a cause, then what is news and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from packaging.specifiers import SpecifierSet

from repro.core.causes.known_causes import Cause, CausePattern
from repro.core.causes.showing import Role, Showing, shown
from repro.core.matrix.cells import cell_verdict
from repro.findings import CauseMatch, Findings, RowName
from repro.model import Bound, Cell, CellResult, EnvironmentSpec, Hang, HangClass, Trial, Verdict
from repro.presentation.causes import CauseRun, document, line, text

CAUSE = Cause(
    id="x-1",
    title="x 1",
    classes=("frozen",),
    packages={"gevent": SpecifierSet("<25")},
    evidence=(CausePattern(frames=("a.py:f",)),),
    cure="gevent 25",
    shown_by="x",
)


def cell(label: str) -> Cell:
    return Cell(id=label, label=label, scenario="x", factors={}, settings={}, environ={}, environment=EnvironmentSpec())


def trial(verdict: Verdict) -> Trial:
    hang = Hang(hang_class=HangClass.FROZEN, users_stuck=5, users=5, stuck_since_s=1.0, bound=Bound(at_most_s=None))
    match = CauseMatch(id="x-1", title="", cure="", shown_by="")
    return Trial(
        cell_id="c", number=1, verdict=verdict, started=datetime.now(UTC), seconds=1.0, versions={"gevent": "24.2.1"},
        hang=hang if verdict is Verdict.HANG else None,
        findings=Findings(row=RowName.LOOP_STANDS, cause=match if verdict is Verdict.HANG else None),
    )  # fmt: skip


def run(hangs: list[Verdict], cured: list[Verdict]) -> CauseRun:
    results = [
        CellResult(cell=cell(label), trials=tuple(map(trial, verdicts)), verdict=cell_verdict(verdicts), rate=None)
        for label, verdicts in (("gevent=24.2.1", hangs), ("gevent=25.9.1", cured))
    ]
    parts = tuple(shown(CAUSE, role, result) for role, result in zip((Role.HANGS, Role.CURED), results, strict=True))
    return CauseRun(Showing(CAUSE, parts), Path("runs/x-1"))


SHOWN = run([Verdict.CLEAN, Verdict.HANG], [Verdict.CLEAN, Verdict.CLEAN])
LOST = run([Verdict.HANG], [Verdict.CLEAN, Verdict.HANG])


def test_a_line_says_what_hung_and_what_was_cured() -> None:
    assert " ".join(line(SHOWN.showing).split()) == "as claimed x-1 hangs: hang (frozen), 1 of 2; cured: clean, 2 of 2"


def test_the_end_says_how_many_and_what_to_do_about_the_others() -> None:
    assert text([SHOWN]) == "1 of 1 causes showed what their files claim."
    said = text([SHOWN, LOST])
    assert said.startswith("1 of 2 causes showed what their files claim.")
    assert "CURE LOST  x-1: it hangs where its file says that it is cured" in said
    assert "cured: gevent=25.9.1: hang (frozen), 1 of 2" in said
    assert "run: runs/x-1" in said


def test_the_document_names_the_news() -> None:
    found = document([SHOWN, LOST], is_against_newest=False)
    assert (found["schema"], found["against"], found["news"]) == ("repro.causes/1", None, ["x-1"])
    hangs, cured = found["causes"][0]["cells"]
    assert (hangs["role"], hangs["verdict"], hangs["seen"], hangs["of"]) == ("hangs", "hang", 1, 2)
    assert (cured["outcome"], cured["hang_class"]) == ("as-claimed", None)
    assert [one["cause"] for one in hangs["trials"]] == [None, "x-1"]
