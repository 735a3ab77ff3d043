"""What a trial costs beyond its load and its grace, and how long after a hang is certain its verdict comes.

    python benchmarks/trial_cost.py [TRIALS]

Planted truths, in this program's own environment. A hang is certain by the limits set once the event loop was silent for
``beat_s`` (frozen, spinning), a user for ``stall_after_s`` (deadlocked), or users lived on for ``stop_grace_s`` (unstoppable).
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from repro.core.judge.judge import Decision
from repro.model import HangClass, Trial, TrialOptions
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.orchestration.trial import trial as trial_module

TRUTHS = ("known/clean", "known/frozen", "known/spinning", "known/deadlocked", "known/unstoppable")


def main(trials: int) -> None:
    """Print, for each truth, the medians and the worst of its trials."""
    print(
        "| truth | verdict | beyond load and grace, s: median (worst) | from certain to verdict, s: median (worst) | evidence, s |"
    )
    print("|---|---|---|---|---|")
    for name in TRUTHS:
        rows = _measured(name, trials)
        verdicts = ", ".join(sorted({row["verdict"] for row in rows}))
        cost, late, evidence = ([row[key] for row in rows] for key in ("cost", "late", "evidence"))
        shown = f"{statistics.median(late):.2f} ({max(late):.2f})" if name != "known/clean" else ""
        print(f"| {name} | {verdicts} | {statistics.median(cost):.2f} ({max(cost):.2f}) | {shown} | {statistics.median(evidence):.2f} |", flush=True)  # fmt: skip


def _measured(name: str, trials: int) -> list[dict[str, Any]]:
    prepared = prepare(RunRequest(experiment=name, python=Path(sys.executable)))
    (cell,) = prepared.plan.cells
    limits = prepared.plan.limits
    options = SessionOptions(TrialOptions(locustfile=prepared.scenario.locustfile, is_untouched=True))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, Session(prepared.plan, options) as session:
        for number in range(1, trials + 1):
            seen: dict[str, Any] = {}
            trial = _timed(session, cell, number, Path(folder) / str(number), seen)
            decision: Decision = seen["decision"]
            hang = decision.row.hang_class
            waited = {
                HangClass.FROZEN: limits.beat_s,
                HangClass.SPINNING: limits.beat_s,
                HangClass.DEADLOCKED: limits.stall_after_s,
                HangClass.UNSTOPPABLE: limits.stop_grace_s,
            }.get(hang, 0.0)  # type: ignore[arg-type]  # None is no key
            load_s = decision.since - seen["began"] if hang else float(cell.settings["seconds"])
            rows.append(
                {
                    "verdict": trial.verdict.value + (f" ({hang})" if hang else ""),
                    "late": decision.at - decision.since - waited,
                    "cost": trial.seconds - load_s - waited,
                    "evidence": seen["evidence"],
                }
            )
    return rows


def _timed(session: Session, cell: Any, number: int, folder: Path, seen: dict[str, Any]) -> Trial:
    """A trial, with the decision and the seconds that its evidence took put into ``seen``."""
    conclude = trial_module._conclude

    def timed(course: Any, decision: Decision, *rest: Any) -> Trial:
        began = time.monotonic()
        trial = conclude(course, decision, *rest)
        seen.update(decision=decision, evidence=time.monotonic() - began, began=_load_began(trial, decision))
        return trial

    trial_module._conclude = timed
    try:
        return session.trial(cell, number, folder)
    finally:
        trial_module._conclude = conclude


def _load_began(trial: Trial, decision: Decision) -> float:
    return decision.since - (trial.hang.stuck_since_s if trial.hang else 0.0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
