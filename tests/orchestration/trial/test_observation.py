"""What is kept of a trial while it is watched is bounded, however long it runs."""

from itertools import pairwise

from repro.core.judge.samples import Sample
from repro.orchestration.trial.observation import FINE_SAMPLES, GRAIN_S, MOST_SAMPLES, TrialProgress


def test_the_samples_of_hours_are_bounded_and_in_order() -> None:
    progress = TrialProgress()
    for number in range(90_000):  # hours, ten times a second
        progress.add(Sample(now=100.0 + number / 10, readings=(), cpu_s={}))
    moments = [now for now, _, _ in progress.samples]
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
