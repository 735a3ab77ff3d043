"""Is "95 %" right 95 % of the time? And what the trials of a cell, and the cells of a run, come to."""

import itertools
import math
import random
import statistics

import pytest
from scipy import stats

from repro.core.intervals import could_have_missed, interval, ratio_of_means
from repro.core.matrix.cells import cell_verdict, exit_code, is_settled, rate_of
from repro.errors import ExitCode
from repro.model import CellVerdict, Verdict

CLEAN, HANG, CRASH, FAILING = Verdict.CLEAN, Verdict.HANG, Verdict.CRASH, Verdict.FAILING
UNTESTABLE, BACKEND, ERROR, INTERRUPTED = (
    Verdict.UNTESTABLE,
    Verdict.BACKEND,
    Verdict.ERROR,
    Verdict.INTERRUPTED,
)
SIZES = (2, 3, 5, 10, 20, 50)
RATES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)


def chance(hits: int, n: int, rate: float) -> float:
    return math.comb(n, hits) * rate**hits * (1 - rate) ** (n - hits)


@pytest.mark.parametrize("n", SIZES)
def test_the_interval_covers_every_rate_at_least_95_percent_of_the_time(n: int) -> None:
    """Exact: summed over every outcome, not sampled."""
    intervals = [interval(hits, n) for hits in range(n + 1)]
    for rate in RATES:
        covered = sum(chance(one.hits, n, rate) for one in intervals if one.low <= rate <= one.high)
        assert covered >= 0.95, (n, rate, covered)


def test_the_interval_covers_seeded_binomials_and_is_not_everything() -> None:
    rng = random.Random(20240315)
    covered = total = 0
    for n, rate in itertools.product(SIZES, RATES):
        intervals = [interval(hits, n) for hits in range(n + 1)]
        for _ in range(200):
            one = intervals[sum(rng.random() < rate for _ in range(n))]
            covered += one.low <= rate <= one.high
            total += 1
    assert 0.95 <= covered / total <= 0.995
    assert interval(25, 50).high - interval(25, 50).low < 0.3


@pytest.mark.parametrize("n", SIZES)
def test_the_ends_are_those_of_clopper_and_pearson(n: int) -> None:
    """At either end of the interval, what was seen or something further away has a chance of just 2.5 %."""
    for hits in range(n + 1):
        one = interval(hits, n)
        assert (one.hits, one.n) == (hits, n)
        if hits:
            assert sum(chance(k, n, one.low) for k in range(hits, n + 1)) == pytest.approx(0.025)
        else:
            assert one.low == 0
        if hits < n:
            assert sum(chance(k, n, one.high) for k in range(hits + 1)) == pytest.approx(0.025)
        else:
            assert one.high == 1


def test_known_intervals() -> None:
    assert interval(0, 3).high == pytest.approx(1 - 0.025 ** (1 / 3)) == pytest.approx(0.7076, abs=1e-4)
    assert interval(1, 1).low == pytest.approx(0.025)
    assert (interval(5, 10).low, interval(5, 10).high) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert (interval(3, 40).low, interval(3, 40).high) == pytest.approx((0.0157, 0.2039), abs=1e-4)


def test_what_clean_trials_can_have_missed() -> None:
    assert could_have_missed(0) == 1
    assert could_have_missed(1) == pytest.approx(0.95)
    for n in SIZES:
        assert (1 - could_have_missed(n)) ** n == pytest.approx(0.05)
    assert could_have_missed(59) < 0.05 < could_have_missed(58)


def test_only_what_ran_counts_in_a_rate() -> None:
    assert rate_of([]) is None
    assert rate_of([CRASH, UNTESTABLE, BACKEND, ERROR, INTERRUPTED, FAILING]) is None
    assert rate_of([HANG, CLEAN, CRASH, CLEAN, BACKEND]) == interval(1, 3)


@pytest.mark.parametrize(
    ("verdicts", "comes_to"),
    [
        ([], "inconclusive"),
        ([BACKEND, ERROR, INTERRUPTED], "inconclusive"),
        ([CLEAN], "clean"),
        ([CLEAN, CLEAN, BACKEND, INTERRUPTED], "clean"),
        ([CLEAN, HANG, CRASH, UNTESTABLE], "hang"),
        ([CRASH, CRASH], "crash"),
        ([CRASH, ERROR], "crash"),
        ([FAILING], "failing"),
        ([UNTESTABLE], "untestable"),
        ([CLEAN, CRASH], "inconclusive"),
        ([CLEAN, CLEAN, CLEAN, FAILING], "inconclusive"),
        ([CRASH, FAILING], "inconclusive"),
    ],
)
def test_what_the_trials_of_a_cell_come_to(verdicts: list[Verdict], comes_to: str) -> None:
    for order in itertools.permutations(verdicts):
        assert cell_verdict(order) == comes_to


@pytest.mark.parametrize(
    ("verdicts", "settled"),
    [
        ([], False),
        ([CLEAN, CLEAN], False),
        ([CLEAN, CLEAN, CLEAN], True),
        ([HANG], True),
        ([UNTESTABLE], True),
        ([CRASH], False),
        ([CRASH, CRASH], True),
        ([CRASH, FAILING], False),
        ([FAILING, FAILING], True),
        ([BACKEND, BACKEND], False),
        ([BACKEND, ERROR, CLEAN], True),
    ],
)
def test_when_more_trials_would_change_nothing(verdicts: list[Verdict], *, settled: bool) -> None:
    assert is_settled(verdicts, trials=3) is settled


@pytest.mark.parametrize(
    ("cells", "trials", "code"),
    [
        ([], [], ExitCode.NO_HANG),
        (["clean", "crash", "failing"], [CLEAN, CRASH, FAILING], ExitCode.NO_HANG),
        (["hang", "untestable"], [HANG, UNTESTABLE, ERROR], ExitCode.HANG),
        (["clean", "inconclusive"], [CLEAN, BACKEND], ExitCode.FAILED),
        (["clean"], [CLEAN, ERROR], ExitCode.FAILED),
        (["clean", "untestable"], [CLEAN, UNTESTABLE], ExitCode.INCONCLUSIVE),
        (["clean", "inconclusive"], [CLEAN, CRASH], ExitCode.INCONCLUSIVE),
        (["crash", "failing"], [CRASH, FAILING], ExitCode.INCONCLUSIVE),
        (["clean", "hang"], [CLEAN, HANG, INTERRUPTED], ExitCode.INTERRUPTED),
    ],
)
def test_the_exit_code_of_a_run(cells: list[str], trials: list[Verdict], code: ExitCode) -> None:
    assert exit_code([CellVerdict(cell) for cell in cells], trials) is code


def test_the_exit_code_is_by_what_was_chosen_to_fail() -> None:
    hang, crash = CellVerdict.HANG, CellVerdict.CRASH
    assert exit_code([hang], [HANG], fail_on=(crash,)) is ExitCode.NO_HANG
    assert exit_code([crash], [CRASH], fail_on=(hang,)) is ExitCode.NO_HANG
    assert exit_code([crash, CellVerdict.CLEAN], [CRASH, CLEAN], fail_on=(crash,)) is ExitCode.HANG


@pytest.mark.parametrize(("n", "m", "ratio"), [(4, 4, 1.0), (4, 4, 0.5), (8, 3, 1.5), (30, 30, 0.9)])
def test_the_interval_of_a_ratio_covers_it_at_least_95_percent_of_the_time_and_is_not_everything(
    n: int, m: int, ratio: float
) -> None:
    rng = random.Random(20240315)
    covered, widths = 0, []
    for _ in range(2000):
        found, low, high = ratio_of_means(
            [rng.gauss(ratio * 300, ratio * 40) for _ in range(n)], [rng.gauss(300, 40) for _ in range(m)]
        )
        assert low <= found <= high
        covered += low <= ratio <= high
        widths.append(high - low)
    assert covered / 2000 > 0.94
    assert statistics.median(widths) < 1.5 * ratio


def test_a_ratios_interval_is_by_students_quantile() -> None:
    for n in (2, 3, 8, 30, 200):
        found, low, high = ratio_of_means([float(k) for k in range(1, n + 1)], [float(k) for k in range(2, n + 2)])
        spread = math.sqrt(sum(statistics.variance(range(n)) / n / mean**2 for mean in ((n + 1) / 2, (n + 3) / 2)))
        half = stats.t.ppf(0.975, n - 1) * spread
        assert (low, high) == pytest.approx((found * math.exp(-half), found * math.exp(half)), rel=1e-9)


def test_too_little_is_known_for_a_ratio() -> None:
    assert ratio_of_means([3], [4, 5]) == (pytest.approx(2 / 3), 0.0, math.inf)
    assert ratio_of_means([3, 3], []) == (math.inf, 0.0, math.inf)
    assert ratio_of_means([3, 3], [6, 6]) == (0.5, 0.5, 0.5)
