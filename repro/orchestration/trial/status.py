"""How far a trial under way has come: a small frozen record that the trial hands out, ten times a second.

preparing ─▶ starting ─▶ load ─▶ stopping ─▶ collecting [─▶ waiting]
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from repro.model import HangClass, Verdict


class Stage(Enum):
    """What a trial is at. ``ENVIRONMENT`` waits for one, ``WAITING`` looks whether a hang recovers."""

    ENVIRONMENT = "environment"
    PREPARING = "preparing"
    STARTING = "starting"
    LOAD = "load"
    STOPPING = "stopping"
    COLLECTING = "collecting"
    WAITING = "waiting"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStatus:
    """Where a trial stands; ``began`` is of the monotonic clock, ``per_s`` are the operations that end per second now.

    ``verdict`` and ``hang_class`` are None until it is decided; its evidence is collected after that.
    """

    cell_id: str
    number: int
    stage: Stage
    began: float
    ended: int = 0
    per_s: float = 0.0
    verdict: Verdict | None = None
    hang_class: HangClass | None = None
