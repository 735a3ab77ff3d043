"""What is right: a phrase for people and a predicate on the outcome.

``held`` adds what is always right: the program ended by itself, said nothing in Python's own words, left nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from day import Outcome

USAGE, INCONCLUSIVE, FAILED, INTERRUPTED = 2, 3, 4, 130
LONGEST_SENTENCE = 1_000  # a list of all names that there are is a next step, too
ENGINE_WORDS = re.compile(
    r"^\s*[|+]?\s*Traceback \(most recent call last\)|^Exception ignored|^Fatal Python error", re.MULTILINE
)
NEXT_STEP = re.compile(
    r"`|\b(give|choose|add|use|see|takes?|shows?|check|delete|remove|make|free|set|write|start|try|must|save|"
    r"leave|put|raise|install|move|copy|change|name|update|upgrade|expects?|point|wait|stop|end|correct|convert|"
    r"say|type|needs?|knows|should|did you mean|there (are|is)(?! no))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Right:
    """What should come, in words and as a question."""

    phrase: str
    holds: Callable[[Outcome], bool]

    def __or__(self, other: "Right") -> "Right":
        """Either of the two."""
        return Right(f"{self.phrase}, or {other.phrase}", lambda came: self.holds(came) or other.holds(came))

    def __and__(self, other: "Right") -> "Right":
        """Both."""
        return Right(f"{self.phrase}; {other.phrase}", lambda came: self.holds(came) and other.holds(came))


def faults(right: Right, came: Outcome) -> tuple[str, ...]:
    """Why the try did not hold; empty where it did."""
    found = {
        "had to be ended": came.code is None,
        "a traceback": bool(ENGINE_WORDS.search(came.stderr) or (not came.cells and ENGINE_WORDS.search(came.stdout))),
        "exit 1 without a hang": came.code == 1 and not _has_hang(came),
        "left running": bool(came.running),
        # A file whose name is told was meant to be found: a traceback.
        "left behind": any(name not in came.told for name in came.behind),
        "not what is right": not right.holds(came),
    }
    return tuple(name for name, is_so in found.items() if is_so)


def _has_hang(came: Outcome) -> bool:
    return any(verdict.startswith("hang") for verdict in came.verdicts) or bool(came.facts.get("may_hang"))


def clean() -> Right:
    """Exit 0, every cell clean."""
    return Right("clean, exit 0", lambda came: came.code == 0 and set(came.verdicts) == {"clean"})


def hang(hang_class: str = "") -> Right:
    """Exit 1, a hang found and named."""
    wanted = f"hang ({hang_class}" if hang_class else "hang ("
    phrase = f"hang ({hang_class}), exit 1" if hang_class else "a hang, exit 1"
    return Right(phrase, lambda came: came.code == 1 and any(verdict.startswith(wanted) for verdict in came.verdicts))


def verdict(*names: str, naming: str = "") -> Right:
    """One of these verdicts and none other; ``naming`` is a pattern that a reason must match."""
    phrase = " or ".join(names) + (f", naming /{naming}/" if naming else "")
    codes = {"hang": {1}, "untestable": {3}, "inconclusive": {3}, "error": {4}, "backend": {4}}

    def holds(came: Outcome) -> bool:
        said = [text.split(" ")[0] for text in came.verdicts]
        allowed = {code for name in said for code in codes.get(name, {0, 3})} | (
            {3, 4} if "inconclusive" in said else set()
        )
        reasons = " ".join(str(trial.get("reason")) for cell in came.cells for trial in cell["trials"])  # type: ignore[attr-defined]
        is_named = bool(re.search(naming, reasons)) if naming else True
        return bool(said) and set(said) <= set(names) and came.code in allowed and is_named

    return Right(phrase, holds)


def never_clean() -> Right:
    """Any verdict but clean, in the JSON."""
    return Right("not clean", lambda came: bool(came.verdicts) and "clean" not in came.verdicts)


def not_hang() -> Right:
    """Any verdict but a hang."""
    return Right("not a hang", lambda came: bool(came.verdicts) and not _has_hang(came) and came.code != 1)


def sentence(*codes: int, naming: str = "") -> Right:
    """One of these exit codes with one error that ends with the next step."""
    phrase = f"exit {' or '.join(map(str, codes))}, one sentence with the next step"
    if naming:
        phrase += f", naming /{naming}/"
    return Right(phrase, lambda came: came.code in codes and _is_sentence(came.stderr, naming))


def refused(naming: str = "") -> Right:
    """Exit 2 with one error that ends with the next step."""
    return sentence(USAGE, naming=naming)


def code(*codes: int) -> Right:
    """One of these exit codes."""
    return Right(f"exit {' or '.join(map(str, codes))}", lambda came: came.code in codes)


def says(pattern: str) -> Right:
    """The pattern stands in what a reader sees."""
    return Right(f"says /{pattern}/", lambda came: bool(re.search(pattern, came.told)))


def silent_about(pattern: str) -> Right:
    """The pattern stands nowhere in what a reader sees."""
    return Right(f"does not say /{pattern}/", lambda came: not re.search(pattern, came.told))


def fact(phrase: str, name: str, wanted: object) -> Right:
    """A try's own finding is as wanted."""
    return Right(phrase, lambda came: came.facts.get(name) == wanted)


def _is_sentence(stderr: str, naming: str) -> bool:
    errors = [line for line in stderr.splitlines() if line.startswith("Error:")]
    if len(errors) != 1:
        return False
    text = stderr[stderr.index("Error:") :]
    steps = text.removeprefix("Error:") + (" `--help`" if "--help' for help" in stderr else "")
    is_named = bool(re.search(naming, text)) if naming else True
    return len(text) <= LONGEST_SENTENCE and bool(NEXT_STEP.search(steps)) and is_named
