"""What a run against a real account may cost: never more than was agreed to."""

import pytest

from repro.errors import UsageError
from repro.world.backends.aws.budget import RequestBudget, TrialLoad, estimate_requests, plan_text


def test_a_budget_is_shared_out_so_that_it_holds_whatever_happens() -> None:
    trials = [TrialLoad(users=20, seconds=10, messages=25)] * 3
    own = 3 * (3 + 3) + 19  # make, delete and one to spare, three batches, each tried thrice; probes for 190 s
    assert [trial.own for trial in trials] == [own] * 3
    for limit in (200, 5000, 1_000_000):
        requests = RequestBudget(limit).requests_per_process(trials)
        assert 3 * (requests + own) <= limit < 3 * (requests + 1 + own)
    with pytest.raises(UsageError, match="a budget of 113 requests is too small for 3 trials; give at least 114"):
        RequestBudget(113).requests_per_process(trials)
    assert RequestBudget(114).requests_per_process(trials) == 1


def test_the_question_names_queues_requests_and_dollars() -> None:
    trials = [TrialLoad(users=200, seconds=10)] * 4
    assert estimate_requests(trials) == 4 * (5000 + 3 * 3 + 19)  # one process makes at most 500 calls a second
    said = plan_text(region="eu-central-1", queues=4, estimated_requests=20_016, budget=RequestBudget(2_500_000))
    assert "4 queues in the real SQS of eu-central-1" in said
    assert "About 20,016 requests, never more than 2,500,000: about 0.01 and at most 1.00 US dollars" in said
    assert "`repro cleanup --region eu-central-1`" in said
