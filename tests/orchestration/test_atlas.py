"""The cells that a cause's file claims: one for its hang, one for its cure, and both with the newest releases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repro.core.causes.known_causes import Cause, Claim
from repro.core.causes.showing import Role
from repro.errors import StoreError
from repro.orchestration.atlas import cells_of
from repro.world.shipped.causes import known_causes

CAUSES = {cause.id: cause for cause in known_causes()}


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_every_claim_names_a_cell_that_hangs_and_one_that_is_cured(cause: Cause) -> None:
    found = cells_of(cause)
    assert [found.roles[cell.id] for cell in found.prepared.plan.cells] == [Role.HANGS, Role.CURED]
    assert found.prepared.plan.varied
    assert found.prepared.plan.experiment == cause.shown_by


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_against_the_newest_no_release_is_pinned_but_the_cured_one(cause: Cause) -> None:
    found = cells_of(cause, against_newest=True)
    cells = {found.roles[cell.id]: cell for cell in found.prepared.plan.cells}
    assert set(cells) <= {Role.CURED, Role.NEWEST, Role.NEWEST_CURED}
    assert {Role.CURED, Role.NEWEST} <= set(cells)
    newest = [cell for role, cell in cells.items() if role is not Role.CURED]
    assert all(not cell.environment.pins for cell in newest)
    assert all(cell.environment.as_of is None for cell in newest)


def test_what_differs_between_the_two_cells_is_what_the_claim_says() -> None:
    found = cells_of(CAUSES["gevent-1957-frozen"])
    assert [cell.label for cell in found.prepared.plan.cells] == ["gevent=24.2.1", "gevent=25.9.1"]
    both = cells_of(CAUSES["grpc-blocks"], against_newest=True)
    assert [found.roles[cell.id] for found in [both] for cell in both.prepared.plan.cells] == [Role.CURED, Role.NEWEST]


def test_a_claim_that_names_several_cells_is_refused() -> None:
    cause = replace(CAUSES["gevent-1957-frozen"], claim=Claim(hangs={"gevent": "24.2.1"}, cured={"gevent": "25.9.1"}))
    with pytest.raises(StoreError, match=r"names 3 cells .* give one level for each factor that varies"):
        cells_of(cause)
    with pytest.raises(StoreError, match=r"add \[claim\]"):
        cells_of(replace(cause, claim=None))
