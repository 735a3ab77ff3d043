"""What timeouts are worth, in words: the waits under each fault, the polls beyond a timeout, the cost of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from repro.core.matrix.cells import cell_verdict, rate_of
from repro.core.matrix.conclusion import conclude
from repro.core.matrix.timeouts import timeout_worth
from repro.model import (
    Bound,
    Cell,
    CellResult,
    EnvironmentSpec,
    Hang,
    HangClass,
    Level,
    Moment,
    Operations,
    Trial,
    Verdict,
    Wait,
)
from repro.presentation.matrix.conclusion import conclusion_sentences
from repro.presentation.matrix.timeouts import worth_lines, worth_sentences

BOTH = ["connect_timeout", "read_timeout"]
SILENT = "no_answer:share=0.02"
SECONDS = 4


def cell(
    verdict: Verdict = Verdict.CLEAN,
    *,
    wait: float = 0.2,
    ended: int = 400,
    failed: int = 0,
    most: float | None = None,
    **levels: Level,
) -> CellResult:
    """A cell with one trial: ``most`` is what bounds its hang, when it is one."""
    factors = {"connect_timeout": 60, "read_timeout": 60, "fault": "", "seconds": SECONDS, **levels}
    is_hang = verdict is Verdict.HANG
    why = "nothing ends it: no timeout" if most is None else f"gives up after at most {most:.0f} s"
    hang = Hang(
        hang_class=HangClass.UNANSWERED,
        users_stuck=1,
        users=1,
        stuck_since_s=0,
        bound=Bound(at_most_s=most, why=why),
        explanation="",
    )
    trial = Trial(
        cell_id="",
        number=1,
        verdict=verdict,
        reason="",
        started=datetime(2024, 3, 15, tzinfo=UTC),
        seconds=9,
        hang=hang if is_hang else None,
        operations=Operations(begun=ended, ended=ended, failed=failed),
        longest_wait=Wait(operation="ReceiveMessage", seconds=wait, has_ended=not is_hang),
        timeline=tuple(Moment(second=at, ended=ended // SECONDS + at % 2, stuck=0, alive=1) for at in range(SECONDS)),
    )
    made = Cell(
        id=str(factors), label="", scenario="", factors=factors, settings={}, environ={}, environment=EnvironmentSpec()
    )
    return CellResult(cell=made, trials=(trial,), verdict=cell_verdict([verdict]), rate=rate_of([verdict]))


def short(verdict: Verdict = Verdict.CLEAN, **kwargs: object) -> CellResult:
    return cell(verdict, **{"connect_timeout": 3, "read_timeout": 3, **kwargs})  # type: ignore[arg-type]  # its own


def said(results: Sequence[CellResult], *varied: str) -> str:
    return "; ".join(worth_sentences(timeout_worth(results, [*BOTH, *varied])))


def bounds(results: Sequence[CellResult]) -> list[str]:
    return [text for text in conclusion_sentences(conclude(results, BOTH)) if "bounded" in text]


def test_under_each_fault_the_waits_stand_beside_what_they_were_waited_with() -> None:
    results = [
        cell(fault=SILENT, wait=60.31),
        short(fault=SILENT, wait=3.52),
        cell(Verdict.HANG, fault="timeout:0", wait=64.1, most=616.0),
        short(Verdict.FAILING, fault="timeout:0", wait=24.2, ended=40, failed=20),
    ]
    assert said(results, "fault") == (
        "under fault=no_answer:share=0.02 the longest wait was 60.3 s with timeouts of 60 s, 3.5 s with "
        "timeouts of 3 s; "
        "under fault=timeout:0 the longest wait was 64.1 s and no end yet (it gives up after at most 616 "
        "s) with timeouts of 60 s, "
        "24.2 s and then a failure (20 of 40 operations) with timeouts of 3 s"
    )


def test_a_hang_that_nothing_ends_says_so() -> None:
    results = [cell(Verdict.HANG, fault=SILENT, wait=64.0), short(fault=SILENT, wait=3.0)]
    assert "64.0 s and no end yet (nothing ends it) with timeouts of 60 s" in said(results, "fault")


def test_a_factor_that_makes_no_difference_is_named_once_and_one_that_does_stays() -> None:
    results = [
        cell(fault=SILENT, wait=60.0, retry_mode="legacy", max_attempts=5),
        short(fault=SILENT, wait=3.1, retry_mode="legacy", max_attempts=5),
        short(fault=SILENT, wait=3.9, retry_mode="standard", max_attempts=5),
        short(fault="timeout:0", wait=24.0, retry_mode="legacy", max_attempts=5),
        short(fault="timeout:0", wait=3.0, retry_mode="legacy", max_attempts=1),
    ]
    assert said(results, "retry_mode", "max_attempts", "fault") == (
        "under fault=no_answer:share=0.02 the longest wait was 60.0 s with timeouts of 60 s, 3.1 to 3.9 "
        "s with timeouts of 3 s, "
        "whatever the retry_mode (tried with timeouts of 3 s); "
        "under fault=timeout:0 the longest wait was 24.0 s with max_attempts=5, 3.0 s with max_attempts=1"
    )


def test_timeouts_that_make_no_difference_are_named_too() -> None:
    results = [cell(fault="latency:500", wait=0.6), short(fault="latency:500", wait=0.7)]
    assert said(results, "fault") == "under fault=latency:500 the longest wait was 0.6 to 0.7 s, whatever the timeouts"


def test_a_long_poll_beyond_the_read_timeout_is_a_fault_of_its_own() -> None:
    results = [
        cell(wait=5.1, wait_time_seconds=5, max_attempts=5),
        short(Verdict.FAILING, wait=22.0, ended=40, failed=20, wait_time_seconds=5, max_attempts=5),
        short(Verdict.FAILING, wait=3.0, ended=60, failed=40, wait_time_seconds=5, max_attempts=1),
        cell(wait_time_seconds=0, max_attempts=5),
    ]
    assert said(results, "wait_time_seconds", "max_attempts") == (
        "wait_time_seconds=5 beyond read_timeout=3 is a fault of its own: without any other the longest wait was "
        "22.0 s and then a failure (20 of 40 operations) with max_attempts=5, "
        "3.0 s and then a failure (40 of 60 operations) with max_attempts=1, but with read_timeout=60 it "
        "is 5.1 s and nothing fails"
    )


def test_polls_that_are_answered_in_time_do_no_harm() -> None:
    assert said([short(wait=0.4, wait_time_seconds=5)], "wait_time_seconds") == (
        "wait_time_seconds=5 beyond read_timeout=3 did no harm here: the polls were answered in time"
    )


def test_a_short_timeout_without_a_fault_costs_nothing_or_what_it_costs() -> None:
    assert said([cell(ended=80, wait=0.4), short(ended=80, wait=0.5)]) == (
        "without a fault timeouts of 3 s cost nothing that shows: 1.00 times the operations a second (95 "
        "% interval 0.91 to 1.10), "
        "longest wait 0.5 s against 0.4 s with timeouts of 60 s"
    )
    assert "timeouts of 3 s cost throughput: 0.50 times the operations a second (95 % interval 0.4" in said(
        [cell(ended=400), short(ended=200)]
    )
    slow = [cell(wait=4.0, ended=100), short(Verdict.FAILING, wait=3.0, ended=100, failed=80)]
    assert "without a fault timeouts of 3 s cost 80 of 100 operations" in said(slow)


def test_nothing_is_said_where_neither_varies_or_no_wait_is_known() -> None:
    assert worth_sentences(timeout_worth([cell(client="shared"), cell(client="per-user")], ["client"])) == []
    unknown = [replace(one, trials=(replace(one.trials[0], longest_wait=None),)) for one in (cell(), short())]
    assert worth_sentences(timeout_worth(unknown, BOTH)) == []


def test_hangs_that_end_by_themselves_say_when() -> None:
    bounded, endless = cell(Verdict.HANG, most=300.0), cell(Verdict.HANG)
    assert bounds([bounded, cell()]) == ["that hang is bounded: it gives up after at most 300 s"]
    assert bounds([bounded, endless]) == ["in 1 of 2 cells that hang it is bounded: it gives up after at most 300 s"]
    assert bounds([endless, cell()]) == []


def test_the_conclusion_carries_both() -> None:
    levels: Mapping[str, Level] = {"fault": "timeout:0"}
    results = [cell(Verdict.HANG, wait=64.0, most=300.0, **levels), short(wait=3.5, **levels)]
    worth = worth_sentences(timeout_worth(results, BOTH))
    text = "; ".join(conclusion_sentences(conclude(results, BOTH), worth))
    assert text.startswith(
        "hangs when connect_timeout=60 and read_timeout=60; that hang is bounded: it gives up after at "
        "most 300 s; under fault=timeout:0 "
    )


def test_the_same_is_a_table() -> None:
    results = [
        cell(fault=SILENT, wait=60.31),
        short(Verdict.FAILING, fault=SILENT, wait=24.2, ended=40, failed=20),
        cell(ended=80, wait=0.4),
        short(ended=80, wait=0.5),
    ]
    lines = worth_lines(timeout_worth(results, [*BOTH, "fault"]))
    assert [(line.fault, line.told_by, line.longest, line.then) for line in lines] == [
        (SILENT, "timeouts of 60 s", "60.3 s", ""),
        (SILENT, "timeouts of 3 s", "24.2 s", "then a failure (20 of 40 operations)"),
        ("none", "timeouts of 60 s", "0.4 s", ""),
        ("none", "timeouts of 3 s", "0.5 s", "1.00 times the operations a second (95 % CI 0.91–1.10)"),
    ]
