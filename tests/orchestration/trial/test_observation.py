"""What is kept of a trial while it is watched is bounded, however long it runs."""

from itertools import pairwise

from repro.core.course.exposure import Tick
from repro.core.judge.samples import Sample
from repro.orchestration.trial.observation import FINE_SAMPLES, GRAIN_S, MOST_SAMPLES, TrialProgress


def test_the_samples_of_hours_are_bounded_and_in_order() -> None:
    progress = TrialProgress()
    for number in range(90_000):  # hours, ten times a second
        progress.add(Sample(now=100.0 + number / 10, readings=(), cpu_s={}))
    moments = [tick.now for tick in progress.samples]
    assert len(moments) == MOST_SAMPLES
    assert moments == sorted(moments)
    assert moments[-1] == 100.0 + 89_999 / 10
    gaps = [later - earlier for earlier, later in pairwise(moments[:-1])]
    assert max(gaps) <= GRAIN_S + 0.2


def test_a_short_trial_keeps_all_its_samples() -> None:
    progress = TrialProgress()
    for number in range(FINE_SAMPLES):
        progress.add(Sample(now=number / 10, readings=(), cpu_s={}))
    assert len(progress.samples) == FINE_SAMPLES


def test_the_rate_is_of_the_last_seconds_whatever_came_before() -> None:
    progress = TrialProgress()
    for number in range(100):
        ended = 1_000 + max(0, number - 50) * 5  # fifty a second for the last five seconds, after nothing
        progress.samples.append(Tick(now=number / 10, ended=ended, alive=1, stops=0, collections=0))
    assert progress.ended == 1_245
    assert round(progress.per_s) == 50
    progress.samples = progress.samples[:1]
    assert progress.per_s == 0.0
