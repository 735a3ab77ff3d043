"""Which worker runs the next trial: never more than its slots, and every trial of a lost one anew."""

from __future__ import annotations

import random
from collections import Counter

from repro.orchestration.workers.slots import MOST_ATTEMPTS, Slots, TrialKey


def test_the_worker_with_the_largest_share_of_free_slots_is_next() -> None:
    slots = Slots()
    assert (slots.free(), slots.total) == (None, 0)
    slots.join("small", 1)
    slots.join("large", 3)
    begun = []
    while (worker := slots.free()) is not None:
        slots.begin(worker, TrialKey("cell", len(begun)))
        begun.append(worker)
    assert Counter(begun) == {"small": 1, "large": 3}
    slots.end("large", TrialKey("cell", begun.index("large")))
    assert slots.free() == "large"
    assert slots.free(but={"large"}) is None


def test_a_lost_worker_gives_its_trials_back_and_a_late_end_is_nothing() -> None:
    slots = Slots()
    slots.join("a", 2)
    for number in (1, 2):
        slots.begin("a", TrialKey("cell", number))
    assert slots.leave("a") == {TrialKey("cell", 1), TrialKey("cell", 2)}
    assert slots.leave("a") == frozenset()
    slots.end("a", TrialKey("cell", 1))
    assert (slots.total, slots.free(), slots.workers) == (0, None, frozenset())


def test_a_trial_that_ends_every_worker_is_given_up() -> None:
    slots = Slots()
    trial = TrialKey("cell", 1)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert not slots.is_given_up(trial)
        slots.join("a", 1)
        assert slots.begin("a", trial) == attempt
        slots.leave("a")
    assert slots.is_given_up(trial)
    slots.forget(trial)
    assert not slots.is_given_up(trial)


def test_one_trial_waits_on_each_worker_once_no_slot_is_free() -> None:
    slots = Slots()
    slots.join("small", 1)
    slots.join("large", 3)
    begun = []
    while (worker := slots.next_for()) is not None:
        slots.begin(worker, TrialKey("cell", len(begun)))
        begun.append(worker)
    assert Counter(begun[:4]) == {"small": 1, "large": 3}, "free slots first"
    assert Counter(begun[4:]) == {"small": 1, "large": 1}
    assert slots.ahead == 2


def test_what_only_waited_on_a_lost_worker_has_had_no_attempt() -> None:
    slots = Slots()
    runs, waits = TrialKey("cell", 1), TrialKey("cell", 2)
    for _ in range(MOST_ATTEMPTS):
        slots.join("a", 1)
        slots.begin("a", runs)
        slots.begin("a", waits)
        assert slots.leave("a") == {runs, waits}
    assert slots.is_given_up(runs)
    assert not slots.is_given_up(waits)


def test_no_trial_is_lost_and_none_counts_twice_whatever_comes_and_goes() -> None:
    chance = random.Random(20261127)
    slots = Slots()
    waiting = [TrialKey(f"cell-{number % 7}", number) for number in range(300)]
    ended: list[TrialKey] = []
    places: dict[TrialKey, str] = {}
    joined = 0
    while len(ended) < 300:
        if len(slots.workers) < 5:
            joined += 1
            slots.join(f"worker-{joined}", chance.randint(1, 4))
        while waiting and (worker := slots.free()) is not None:
            trial = waiting.pop()
            slots.begin(worker, trial)
            places[trial] = worker
        assert len(places) <= slots.total
        if chance.random() < 0.05:
            lost = slots.leave(chance.choice(sorted(slots.workers)))
            waiting += lost
            for trial in lost:
                del places[trial]
        elif places:
            trial = chance.choice(sorted(places, key=lambda one: one.number))
            slots.end(places.pop(trial), trial)
            ended.append(trial)
    assert len(set(ended)) == 300
