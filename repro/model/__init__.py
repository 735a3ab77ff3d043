"""The facts that every layer speaks of; of ``repro`` only ``findings``, ``answer`` and ``command`` are imported.

An experiment becomes cells, a cell's trials leave evidence, evidence becomes a verdict:

    Cell 1 ──▶ n Trial 1 ──▶ n Rung (a rung of the ladder of evidence, in files beside the store)

All records are frozen. Times named ``…_s`` are seconds; a *moment* is seconds since the load of its
trial began unless its name says otherwise.
"""

from repro.model.conclusions import (
    CellOutcome,
    CellResult,
    Clause,
    CleanMeans,
    Conclusion,
    Condition,
    ConditionKind,
    Explanation,
    Faulty,
    FaultyCombination,
    Interval,
    NoEffect,
)
from repro.model.environments import BaseEnvironment, Environment, EnvironmentSpec
from repro.model.exposure import Chance, Collector, CollectorKind, Exposure, Hazard, Operations
from repro.model.plans import Cell, Confirm, Cover, Effort, Level, Limits, Plan, Provision, Table, TrialOptions, Until
from repro.model.runs import Machine, Shard, StoredRun
from repro.model.trials import Bound, Hang, Moment, Rung, RungKind, Trial, Wait
from repro.model.verdicts import CellVerdict, HangClass, Verdict

__all__ = [
    "BaseEnvironment",
    "Bound",
    "Cell",
    "CellOutcome",
    "CellResult",
    "CellVerdict",
    "Chance",
    "Clause",
    "CleanMeans",
    "Collector",
    "CollectorKind",
    "Conclusion",
    "Condition",
    "ConditionKind",
    "Confirm",
    "Cover",
    "Effort",
    "Environment",
    "EnvironmentSpec",
    "Explanation",
    "Exposure",
    "Faulty",
    "FaultyCombination",
    "Hang",
    "HangClass",
    "Hazard",
    "Interval",
    "Level",
    "Limits",
    "Machine",
    "Moment",
    "NoEffect",
    "Operations",
    "Plan",
    "Provision",
    "Rung",
    "RungKind",
    "Shard",
    "StoredRun",
    "Table",
    "Trial",
    "TrialOptions",
    "Until",
    "Verdict",
    "Wait",
]
