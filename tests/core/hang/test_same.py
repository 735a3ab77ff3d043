"""The different hangs of a run."""

from datetime import UTC, datetime

from repro.core.hang.same import hang_kinds
from repro.model import Bound, Cell, CellResult, CellVerdict, EnvironmentSpec, Hang, HangClass, Trial, Verdict

FROZEN, UNANSWERED = HangClass.FROZEN, HangClass.UNANSWERED


def hang(hang_class: HangClass, fingerprint: str, cause: str = "") -> Hang:
    bound = Bound(at_most_s=None, why="")
    return Hang(
        hang_class=hang_class,
        users_stuck=1,
        users=2,
        stuck_since_s=0,
        bound=bound,
        explanation="",
        fingerprint=fingerprint,
        cause=cause,
    )


def result(name: str, *hangs: Hang | None) -> CellResult:
    cell = Cell(id=name, label=name, scenario="s", factors={}, settings={}, environ={}, environment=EnvironmentSpec())
    trials = tuple(
        Trial(
            cell_id=name,
            number=number,
            verdict=Verdict.HANG if one else Verdict.CLEAN,
            reason="",
            started=datetime.now(UTC),
            seconds=1,
            hang=one,
        )
        for number, one in enumerate(hangs, 1)
    )
    return CellResult(cell=cell, trials=trials, verdict=CellVerdict.HANG, rate=None)


def test_hangs_of_one_class_and_fingerprint_are_one_kind_and_the_most_frequent_comes_first() -> None:
    kinds = hang_kinds(
        [
            result("a", hang(UNANSWERED, "f1"), None),
            result("b", hang(FROZEN, "f1"), hang(FROZEN, "f2")),
            result("c", hang(FROZEN, "f2"), hang(FROZEN, "f2")),
            result("d", None),
        ]
    )
    assert [(kind.hang_class, kind.fingerprint, len(kind.seen)) for kind in kinds] == [
        (FROZEN, "f2", 3),
        (UNANSWERED, "f1", 1),
        (FROZEN, "f1", 1),
    ]
    assert [cell.id for cell in kinds[0].cells] == ["b", "c"]
    assert [(seen.cell.id, seen.trial.number) for seen in kinds[0].seen] == [("b", 2), ("c", 1), ("c", 2)]


def test_the_one_to_show_is_the_first_whose_cause_is_known() -> None:
    (kind,) = hang_kinds([result("a", hang(FROZEN, "f"), hang(FROZEN, "f", "known"), hang(FROZEN, "f", "other"))])
    assert kind.telling.trial.number == 2
    (kind,) = hang_kinds([result("a", hang(FROZEN, "f"), hang(FROZEN, "f"))])
    assert kind.telling.trial.number == 1


def test_without_a_hang_there_is_no_kind() -> None:
    assert hang_kinds([]) == hang_kinds([result("a", None)]) == ()
