"""A hang of a watched command, for people and for programs: as the judge found it, or as it was seen from outside."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from repro.core.command.parser import parse
from repro.errors import UsageError
from repro.orchestration.riding import Judged
from repro.orchestration.watch import Hung, Watched
from repro.presentation.hang import diagnosis
from repro.presentation.hang.explanation import NEW, cause_text
from repro.presentation.hang.stacks import stack_text
from repro.presentation.hang.verdicts import sentences
from repro.presentation.lines import fitted

PINNED = ("locust", "gevent", "greenlet", "urllib3", "boto3", "botocore", "requests", "geventhttpclient")
"""The packages whose versions decide the hangs that are known here."""


def headline(hang: Hung) -> str:
    """``HANG (unanswered): 12 of 50 users of process 4711 cannot make progress``."""
    if not isinstance(hang, Judged):
        return diagnosis.headline(hang)
    stuck = f"{hang.users_stuck} of {hang.users} users" if hang.users_stuck else "the event loop"
    return f"HANG ({hang.hang_class.value}): {stuck} of process {hang.pid} cannot make progress"


def explanation(hang: Judged) -> str:
    """What happened and how it is known, with its full stop."""
    return f"{' '.join(sentences(hang.findings)).removesuffix('.')}."


def reproduction(words: Sequence[str], hang: Hung) -> str:
    """The command that runs this one again with the releases that were found in its process; "" where none can."""
    if not words:
        return ""
    try:
        parse(tuple(words))
    except UsageError:
        return ""
    pins = [f"{name}={hang.packages[name]}" for name in PINNED if name in hang.packages]
    python = [f"python={'.'.join(hang.python.split('.')[:2])}"] if hang.python else []
    settings = [word for one in [*python, *pins] for word in ("--set", one)]
    return shlex.join(["repro", "run", *settings, "--", *words])


def block(hang: Hung, evidence: str, words: Sequence[str], *, width: int | None = None) -> str:
    """The whole answer on the terminal; its sentences are wrapped at ``width``, where there is one."""
    found = reproduction(words, hang)
    again = [f"Reproduce it: {found}"] if found else []
    if not isinstance(hang, Judged):
        return "\n".join([diagnosis.block(hang, evidence, width=width), *again])
    said = (headline(hang), "", explanation(hang), _cause(hang) or NEW)
    lines = [fitted(line, width=width) for line in said]
    for stack in hang.findings.stacks:
        lines += ["", *(f"  {line}" for line in stack_text(stack).splitlines())]
    notes = [fitted(line, width=width) for line in hang.notes]
    return "\n".join([*lines, "", *notes, f"Evidence: {evidence}", *again])


def document(watched: Watched, evidence: str, words: Sequence[str]) -> dict[str, Any]:
    """The JSON document of a watch that has ended; ``evidence`` is the folder of the first hang's."""
    hang = watched.hang
    if hang is None:
        found = diagnosis.nothing_found(watched.verdict, _nothing_found(watched))
    elif isinstance(hang, Judged):
        found = dict(_judged(hang, evidence))
    else:
        found = diagnosis.document(hang, evidence)
    again = {} if hang is None else {"reproduce": reproduction(words, hang)}
    return {
        **found,
        **again,
        "looks": watched.looks,
        "watched_s": round(watched.seconds, 1),
        "exit_code": watched.exit_code,
        "agent": {"processes": watched.along, "notes": list(watched.notes)},
    }


def ended(watched: Watched) -> str:
    """The last lines of a watch without a hang."""
    end = "it was ended" if watched.exit_code is None else f"it ended with exit code {watched.exit_code}"
    told = f"No hang in {watched.looks} looks over {watched.seconds:.0f} s; {end}."
    return " ".join([told, *unexplained(watched)])


def unexplained(watched: Watched) -> list[str]:
    """What nobody had explained when the time was over, and what to do; nothing where nothing was left open."""
    said = []
    if watched.overdue is not None:
        late = watched.overdue
        said.append(
            f"That is inconclusive: {late.users} of {late.of} callers waited for an answer then, "
            f"the longest for {late.seconds:.0f} s."
        )
    elif watched.undecided is not None:
        said.append(f"That is inconclusive: {diagnosis.explanation(watched.undecided)}")
    return [*said, "Watch it for longer, by --for."] if said else []


def _nothing_found(watched: Watched) -> str:
    return " ".join(
        [f"No hang was found in {watched.looks} looks over {watched.seconds:.0f} s.", *unexplained(watched)]
    )


def blindness(watched: Watched) -> str:
    """What was not seen for want of the agent, and why; "" when it was there."""
    if watched.along:
        return ""
    why = f" ({'; '.join(watched.notes)})" if watched.notes else ""
    return (
        f"No operations were seen{why}, so unanswered calls and users still running after a stop were not looked for. "
        "The agent sees boto3, requests, urllib3, geventhttpclient and Locust, unless Python runs with -I, -E or -S."
    )


def _cause(hang: Judged) -> str:
    return cause_text(hang.cause) if hang.cause else ""


def _judged(hang: Judged, evidence: str) -> Mapping[str, Any]:
    return {
        "schema": diagnosis.SCHEMA,
        "pid": hang.pid,
        "command": hang.command,
        "python": hang.python,
        "packages": dict(hang.packages),
        "verdict": hang.verdict.value,
        "hang_class": hang.hang_class.value,
        "users": hang.users,
        "users_stuck": hang.users_stuck,
        "seconds": round(hang.findings.silent_s, 1),
        "explanation": explanation(hang),
        "cause": hang.cause.id if hang.cause else None,
        "cause_text": _cause(hang) or None,
        "stacks": [stack_text(stack) for stack in hang.findings.stacks],
        "notes": list(hang.notes),
        "next_step": "",
        "evidence": evidence,
    }
