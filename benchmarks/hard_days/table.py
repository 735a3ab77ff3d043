"""The record of a try, and the results: one JSON line a try, and tables made of them."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from day import Day, Outcome
from right import Right, faults

CELL_CHARACTERS = 150


@dataclass(frozen=True)
class Try:
    """A named hostile day of a kind, and what is right on it."""

    name: str
    kind: str
    make: Callable[[Day], Outcome]
    right: Right
    is_slow: bool = False
    timeout_s: float = 90


@dataclass(frozen=True)
class Result:
    """What is kept of a try. ``skipped`` says why the day could not be made."""

    name: str
    kind: str
    came: str
    code: int | None
    seconds: float
    running: tuple[str, ...]
    behind: tuple[str, ...]
    right: str
    faults: tuple[str, ...]
    skipped: str = ""

    @property
    def mark(self) -> str:
        """Yes, no or skipped, for a table."""
        return "skipped" if self.skipped else "no" if self.faults else "yes"


def judged(one: Try, came: Outcome) -> Result:
    """The result of a try that could be made."""
    found = faults(one.right, came)
    return Result(
        one.name,
        one.kind,
        _came(came),
        came.code,
        round(came.seconds, 1),
        came.running,
        came.behind,
        one.right.phrase,
        found,
    )


def skipped(one: Try, reason: str) -> Result:
    """The result of a try that this machine does not allow."""
    return Result(one.name, one.kind, "", None, 0.0, (), (), one.right.phrase, (), reason)


def read(path: Path) -> dict[str, Result]:
    """Results by name; a line cut short by a kill is left out, so that its try is made again."""
    results = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            result = Result(**json.loads(line))
        except (ValueError, TypeError):
            continue
        results[result.name] = result
    return results


def append(path: Path, result: Result) -> None:
    """Add one line; a line before it that a kill cut short is closed first."""
    torn = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write(("\n" if torn else "") + json.dumps(asdict(result)) + "\n")


def markdown(results: Iterable[Result]) -> str:
    """All results as a table."""
    rows = ["| try | what came | what is right | held? |", "|---|---|---|---|"]
    for result in results:
        came = f"not made: {result.skipped}" if result.skipped else _line(result)
        why = f" ({', '.join(result.faults)})" if result.faults else ""
        rows.append(f"| {result.name} | {_cell(came)} | {_cell(result.right)} | {result.mark}{why} |")
    return "\n".join(rows)


def summary(results: Iterable[Result]) -> str:
    """How many tries of each kind held."""
    counts = Counter((result.kind, result.mark) for result in results)
    rows = ["| kind | held | did not hold | skipped |", "|---|---|---|---|"]
    rows += [
        f"| {kind} | {counts[kind, 'yes']} | {counts[kind, 'no']} | {counts[kind, 'skipped']} |"
        for kind in sorted({kind for kind, _ in counts})
    ]
    return "\n".join(rows)


def compared(before: Mapping[str, Result], after: Mapping[str, Result]) -> str:
    """Two result files side by side, what changed first."""
    names = sorted({*before, *after}, key=lambda name: (_mark(before, name) == _mark(after, name), name))
    rows = ["| try | before | after | held before | held after |", "|---|---|---|---|---|"]
    for name in names:
        pair = [before.get(name), after.get(name)]
        cells = [_cell(_line(one)) if one else "not tried" for one in pair]
        rows.append(f"| {name} | {cells[0]} | {cells[1]} | {_mark(before, name)} | {_mark(after, name)} |")
    return "\n".join(rows)


def _mark(results: Mapping[str, Result], name: str) -> str:
    return results[name].mark if name in results else "not tried"


def _came(came: Outcome) -> str:
    lines = [line for line in (came.stderr.strip() or came.stdout).splitlines() if line.strip()]
    spoken = next((line for line in lines if line.startswith("Error:")), lines[0] if lines else "")
    facts = ", ".join(f"{name}={value}" for name, value in came.facts.items())
    return "; ".join(part for part in (", ".join(sorted(set(came.verdicts))) or spoken, facts) if part)


def _line(result: Result) -> str:
    left = [f"left running: {', '.join(result.running)}"] if result.running else []
    left += [f"left behind: {', '.join(result.behind[:5])}"] if result.behind else []
    ended = "ended by force" if result.code is None else f"exit {result.code}"
    return " · ".join([ended, result.came[:CELL_CHARACTERS] or "no word", f"{result.seconds:g} s", *left])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
