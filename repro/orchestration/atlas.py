"""From a known cause to the few cells that show it: its hang beside its cure, or both with the newest releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from repro.core.causes.known_causes import Cause
from repro.core.causes.showing import Role
from repro.core.experiment.factors.level_text import shown
from repro.errors import StoreError
from repro.model import Cell, Plan
from repro.orchestration.preparation import Prepared, RunRequest, prepare

NEWEST = "newest"


@dataclass(frozen=True)
class CauseCells:
    """A cause with what is run for it: one plan, and the role that each of its cells plays, by the cells' ids."""

    cause: Cause
    prepared: Prepared
    roles: Mapping[str, Role]


def cells_of(
    cause: Cause, *, against_newest: bool = False, trials: int | None = None, backends: Sequence[str] = ()
) -> CauseCells:
    """The cells that show this cause, as its file claims.

    Raises:
        StoreError: the file's claim does not name one cell for each role.
    """
    if cause.claim is None:
        raise StoreError(f"{cause.id}: nothing says which cells show it; add [claim] to its file")
    claim = cause.claim
    levels = {Role.HANGS: claim.hangs, Role.CURED: claim.cured}
    if against_newest:
        levels = {Role.CURED: claim.cured, Role.NEWEST: claim.hangs, Role.NEWEST_CURED: claim.cured}
    prepared: dict[Role, Prepared] = {}
    for role, own in levels.items():
        found = _prepared(cause, role, own, trials=trials or claim.trials, backends=backends)
        if found.plan.cells[0].id not in {one.plan.cells[0].id for one in prepared.values()}:
            prepared[role] = found
    first, *_ = prepared.values()
    plan = _together([one.plan for one in prepared.values()])
    roles = {cell.id: role for cell, role in zip(plan.cells, prepared, strict=True)}
    return CauseCells(cause, replace(first, plan=plan), roles)


def _prepared(cause: Cause, role: Role, levels: Mapping[str, str], *, trials: int, backends: Sequence[str]) -> Prepared:
    found = prepare(
        RunRequest(
            experiment=cause.shown_by,
            overrides=[f"{name}={level}" for name, level in levels.items()],
            trials=trials,
            backends=backends,
            is_newest=role in {Role.NEWEST, Role.NEWEST_CURED},
        )
    )
    if len(found.plan.cells) != 1:
        raise StoreError(
            f"{cause.id}: its [claim] names {len(found.plan.cells)} cells of {cause.shown_by} as {role}; give one "
            f"level "
            "for each factor that varies there"
        )
    return found


def _together(plans: Sequence[Plan]) -> Plan:
    """The plans' only cells as one plan, told apart by the factors in which they differ."""
    cells = [plan.cells[0] for plan in plans]
    names = dict.fromkeys(name for cell in cells for name in cell.factors)
    varied = tuple(name for name in names if len({_level(cell, name) for cell in cells}) > 1)
    return replace(plans[0], cells=tuple(_told_apart(cell, varied) for cell in cells), varied=varied)


def _told_apart(cell: Cell, varied: Sequence[str]) -> Cell:
    """The cell named by the factors in which it differs; a release that it does not name is the newest."""
    named = tuple(name for name in varied if name in cell.factors)
    factors = {name: NEWEST for name in varied if name not in cell.factors}
    label = " ".join(f"{name}={_level(cell, name)}" for name in varied)
    return replace(cell, label=label or cell.label, named=named, factors={**cell.factors, **factors})


def _level(cell: Cell, name: str) -> str:
    return shown(cell.factors.get(name, NEWEST))
