"""A load at what the backend carries is said, one below it is not."""

from datetime import UTC, datetime

from repro.core.matrix.capacity import at_capacity
from repro.model import Cell, CellResult, CellVerdict, EnvironmentSpec, Moment, Trial, Verdict

SECONDS = 4


def cell(backend: str, *rates: int) -> CellResult:
    made = Cell(
        id="c",
        label="",
        scenario="",
        factors={},
        settings={"backend": backend, "seconds": SECONDS},
        environ={},
        environment=EnvironmentSpec(),
    )
    trials = tuple(
        Trial(
            cell_id="c",
            number=number,
            verdict=Verdict.CLEAN,
            reason="",
            started=datetime(2024, 3, 15, tzinfo=UTC),
            seconds=9,
            timeline=tuple(Moment(second=at, ended=rate, stuck=0, alive=1) for at in range(SECONDS + 3)),
        )
        for number, rate in enumerate(rates, 1)
    )
    return CellResult(cell=made, trials=trials, verdict=CellVerdict.CLEAN, rate=None)


def test_only_the_backend_that_was_full_is_named() -> None:
    cells = [cell("moto", 100, 460), cell("moto", 480), cell("ministack", 480)]
    (said,) = at_capacity(cells, {"moto": 500.0, "ministack": 900.0}, jobs=1)
    assert said == (
        "2 of 3 trials loaded moto to its capacity (up to 480 of about 500 operations a second): users "
        "may have waited for it; "
        "give fewer users or a think_time, or use --jobs 1"
    )


def test_trials_side_by_side_load_it_together() -> None:
    assert at_capacity([cell("moto", 240)], {"moto": 500.0}, jobs=1) == []
    assert len(at_capacity([cell("moto", 240)], {"moto": 500.0}, jobs=2)) == 1


def test_a_service_without_a_known_limit_is_never_full() -> None:
    assert at_capacity([cell("aws", 10_000)], {"aws": float("inf")}, jobs=8) == []
