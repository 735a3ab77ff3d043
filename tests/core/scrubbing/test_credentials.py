"""Secrets are taken out of what is stored, and nothing else is changed."""

from datetime import UTC, datetime

from repro.core.scrubbing.credentials import conceal, conceal_bytes, forms
from repro.findings import (
    Awaited,
    CauseMatch,
    Findings,
    Place,
    Program,
    RowName,
    Said,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    Swallowed,
    WaitKind,
)
from repro.model import Bound, Hang, HangClass, Trial, Verdict
from repro.world.runs.kept import scrub
from repro.world.runs.kept.scrub import conceal_files

SECRETS = ("AKIAPLANTED0001", "se/cret+with=signs")


def test_a_secret_is_known_as_it_is_and_as_it_stands_in_a_url() -> None:
    assert forms(SECRETS) == ("se%2Fcret%2Bwith%3Dsigns", "se/cret+with=signs", "AKIAPLANTED0001")
    assert forms(("", "short")) == ()


def test_bytes_keep_their_length() -> None:
    data = b"key=AKIAPLANTED0001&x=se%2Fcret%2Bwith%3Dsigns\0\xff"
    concealed = conceal_bytes(data, SECRETS)
    assert len(concealed) == len(data)
    assert concealed == b"key=" + b"<secret>".ljust(15) + b"&x=" + b"<secret>".ljust(24) + b"\0\xff"


def test_every_text_of_a_record_is_looked_through() -> None:
    hang = Hang(
        hang_class=HangClass.FROZEN,
        users_stuck=1,
        users=2,
        stuck_since_s=0.0,
        bound=Bound(at_most_s=None, why="w"),
        explanation="signed by AKIAPLANTED0001",
        stacks=("a", "se/cret+with=signs"),
    )
    trial = Trial(
        cell_id="c",
        number=1,
        verdict=Verdict.HANG,
        reason="AKIAPLANTED0001!",
        started=datetime.now(UTC),
        seconds=1.5,
        hang=hang,
        versions={"boto3": "1"},
    )
    found = conceal(trial, SECRETS)
    assert (found.reason, found.verdict, found.started) == ("<secret>!", Verdict.HANG, trial.started)
    assert found.hang is not None
    assert (found.hang.explanation, found.hang.stacks) == ("signed by <secret>", ("a", "<secret>"))
    assert conceal(trial, ()) is trial


def test_the_records_that_explain_a_trial_are_looked_through_as_deep_as_they_go() -> None:
    place = Place("a.py", 1, "f", "get('AKIAPLANTED0001')")
    findings = Findings(
        row=RowName.DIED,
            said=Said(last_words="E: se/cret+with=signs", dropped=(Swallowed("<x>", "AKIAPLANTED0001", ()), 2)),
        program=Program(at=Spot(SpotKind.CALL, place, wait=Awaited(WaitKind.LOCK, name="AKIAPLANTED0001"))),
        cause=CauseMatch(id="i", title="t", cure="c", shown_by="s", lines=("AKIAPLANTED0001",)),
        stacks=(Stack(of=StackOf.GROUP, frames=(place,)),),
    )  # fmt: skip
    trial = Trial(
        cell_id="c", number=1, verdict=Verdict.CRASH, started=datetime.now(UTC), seconds=1.5, findings=findings
    )
    found = conceal(trial, SECRETS).findings
    assert found is not None
    assert (found.row, found.said.last_words) == (RowName.DIED, "E: <secret>")
    assert not any(secret in repr(found) for secret in SECRETS)
    assert repr(found).count("<secret>") == 6


def test_files_are_looked_through_across_the_border_of_two_parts(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(scrub, "PART_BYTES", 64)
    for before in range(40, 70):
        file = tmp_path / "deep" / f"{before}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"." * before + b"AKIAPLANTED0001" + b"." * 100)
    conceal_files(tmp_path, SECRETS)
    for before in range(40, 70):
        assert (tmp_path / "deep" / f"{before}.txt").read_bytes() == b"." * before + b"<secret>".ljust(15) + b"." * 100
