"""A run dealt to several machines: which trials each one makes, and whether their parts make the whole again.

Trials of one cell go to different shards, or a slow machine would look like a factor. Cells are dealt in the order of
their ids, which are hashes: no level falls to one shard more often than to another by design.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repro.core.command_words import with_options, without
from repro.core.matrix.effort import trials_left, tried
from repro.errors import UsageError
from repro.model import Cell, Shard, StoredRun, Verdict

MOST_SHARDS = 10_000
MOST_NAMED = 5
Share = Mapping[str, tuple[int, ...]]
"""The numbers of a cell's trials that a shard makes, by the cell's id; cells without one are not in it."""


def share(cells: Sequence[Cell], *, trials: int, shard: Shard) -> Share:
    """What a shard makes of a run with this many trials of each cell."""
    period = math.lcm(trials, shard.of)
    found = {}
    for rank, cell in enumerate(sorted(cells, key=lambda cell: cell.id)):
        first = rank * trials
        # One further after each period, or with few trials the same machines would meet in the same cells alone.
        shift = first // period
        numbers = [number for number in range(1, trials + 1) if _dealt(first + number - 1 + shift, shard)]
        if numbers:
            found[cell.id] = tuple(numbers)
    return found


def _dealt(position: int, shard: Shard) -> bool:
    return position % shard.of == shard.number - 1


def parsed(text: str) -> Shard:
    """The shard of a text such as ``3/20``.

    Raises:
        UsageError: it is none.
    """
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of) <= MOST_SHARDS):
        raise UsageError(f"--shard {text}: give I/N, shard I of N, such as 3/20")
    return Shard(int(number), int(of))


def command_of(command: str, shard: Shard, *, out: str) -> str:
    """The command that runs a shard of the run that a stored command of any shard belongs to."""
    return shlex.join(with_options(shlex.split(whole_command(command)), ["--shard", str(shard), "--out", out]))


def whole_command(command: str) -> str:
    """The command that one machine would run."""
    return shlex.join(without(shlex.split(command), flags={"--resume"}, values={"--shard", "--out"}))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A run that is to be a shard of a whole, as it was read; ``inputs`` are the digests of what it was made of."""

    run: StoredRun
    inputs: Mapping[str, str]

    @property
    def shard(self) -> Shard:
        """Which shard it is.

        Raises:
            UsageError: it is none.
        """
        if self.run.shard is None:
            raise UsageError(
                f"{self.run.folder} is a whole run, made without --shard; leave it out, and merge the shards of one run"
            )
        return self.run.shard

    @property
    def facts(self) -> dict[str, object]:
        """All that the shards of one run have in common, by what each is called."""
        plan = self.run.plan
        return {
            "version of repro": self.run.tool_versions.get("repro", ""),
            "experiment": plan.experiment,
            "scenario": plan.scenario,
            "number of shards": self.shard.of,
            "trials of each cell": plan.trials,
            "seed": self.run.seed,
            "limits": plan.limits,
            "effort": plan.effort,
            "command": self.run.typed,
            **self.inputs,
            "cells": tuple(cell.id for cell in plan.cells),
        }


def check_whole(parts: Sequence[Part]) -> None:
    """Refuse parts that are not all the shards of one run, each once and whole.

    Raises:
        UsageError: names what does not fit, or is missing, with the next step.
    """
    first = parts[0]
    for part in parts[1:]:
        _check_fits(part, first)
    _check_each_once(parts)
    for part in parts:
        _check_is_complete(part)


def _check_fits(part: Part, first: Part) -> None:
    ours, theirs = first.facts, part.facts
    for name in {**ours, **theirs}:
        one, other = theirs.get(name), ours.get(name)
        if one != other:
            said = f" ({one}, not {other})" if _is_short(one) and _is_short(other) else ""
            raise UsageError(
                f"{part.run.folder} is not of the same run as {first.run.folder}, by its {name}{said}; "
                "leave it out, or run that shard again"
            )


def _is_short(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and len(value) < 40)


def _check_each_once(parts: Sequence[Part]) -> None:
    found: dict[int, Part] = {}
    for part in parts:
        other = found.setdefault(part.shard.number, part)
        if other is not part:
            raise UsageError(
                f"shard {part.shard} was given twice, in {other.run.folder} and {part.run.folder}; leave one out"
            )
    missing = [number for number in range(1, parts[0].shard.of + 1) if number not in found]
    if missing:
        raise UsageError(_missing(missing, parts[0]))


def _missing(numbers: Sequence[int], known: Part) -> str:
    """Which shards are missing, and how to run the first of them."""
    shards = [Shard(number, known.shard.of) for number in numbers]
    command = command_of(known.run.command, shards[0], out=f"part{numbers[0]}")
    if len(shards) == 1:
        return f"shard {shards[0]} is missing; run it with: {command}"
    more = f" and {len(shards) - MOST_NAMED} more" if len(shards) > MOST_NAMED else ""
    named = ", ".join(map(str, shards[:MOST_NAMED]))
    return f"shards {named}{more} are missing; run the first with: {command}"


def _check_is_complete(part: Part) -> None:
    lacking = open_trials(part.run)
    if lacking:
        trials = "1 trial" if lacking == 1 else f"{lacking} trials"
        raise UsageError(
            f"shard {part.shard} in {part.run.folder} lacks {trials}; continue it with: {_resume_command(part.run)}"
        )


def _resume_command(run: StoredRun) -> str:
    words = without(shlex.split(run.command), flags={"--resume"}, values={"--out"})
    return shlex.join(with_options(words, ["--out", str(run.folder), "--resume"]))


def open_trials(run: StoredRun) -> int:
    """How many trials of its share a shard still has to make."""
    assert run.shard is not None  # noqa: S101  # the caller's own check
    own = share(run.plan.cells, trials=run.plan.trials, shard=run.shard)
    made = {
        result.cell.id: [tried(one) for one in result.trials if one.verdict is not Verdict.INTERRUPTED]
        for result in run.cells
    }
    effort = run.plan.effort
    return sum(
        trials_left(made.get(name, ()), effort, trials=len(numbers), trial_s=0.0, operations_s=0.0)
        for name, numbers in own.items()
    )
