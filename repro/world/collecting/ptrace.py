"""The stacks of a process's threads as a debugger sees them, by ``py-spy`` or, where it is installed, ``pystack``.

They answer whatever the process does, a held GIL included, and see C frames; of parked greenlets they see nothing.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from repro.errors import ProcessError
from repro.world.processes import door

YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
NATIVE_SHARE = 0.6
"""The share of the time that the first try, with C frames, may take; the tries without them take a moment."""

_REFUSALS = ("permission denied", "operation not permitted", "eperm", "failed to suspend")


@dataclass(frozen=True)
class DebuggerAnswer:
    """What a debugger said: its text, which is JSON when ``is_json``, or why there is none; ``how`` is the command."""

    how: str
    text: str = ""
    is_json: bool = False
    refusal: str = ""


def look(pid: int, *, limit_s: float) -> DebuggerAnswer:
    """The threads' stacks: with C frames if possible, else without, else without stopping the process.

    The refusals of all tries are kept in one sentence when none answers, with what to do.
    """
    tries = _tries(pid)
    refusals: list[str] = []
    left = limit_s
    for argv, is_json in tries:
        share = left * NATIVE_SHARE if argv is not tries[-1][0] else left
        left -= share
        answer = _try(argv, is_json=is_json, limit_s=share)
        if not answer.refusal:
            return answer
        refusals.append(answer.refusal)
        if _is_refused(answer.refusal):
            return DebuggerAnswer(answer.how, refusal=f"ptrace was refused: {answer.refusal}; {_what_to_do()}")
    return DebuggerAnswer("py-spy", refusal="; ".join(refusals) or "neither py-spy nor pystack is installed")


def _tries(pid: int) -> list[tuple[list[str], bool]]:
    spy = _executable("py-spy")
    stack = _executable("pystack")
    tries: list[tuple[list[str], bool]] = []
    if spy:
        dump = [spy, "dump", "--pid", str(pid), "--json"]
        tries += [([*dump, "--native"], True), (dump, True), ([*dump, "--nonblocking"], True)]
    if stack and sys.platform == "linux":
        tries.append(([stack, "remote", "--native", str(pid)], False))
    return tries


def _try(argv: list[str], *, is_json: bool, limit_s: float) -> DebuggerAnswer:
    how = " ".join([Path(argv[0]).name, *argv[1:]])
    try:
        done = door.run(argv, limit_s=limit_s)
    except ProcessError as error:
        return DebuggerAnswer(how, refusal=str(error))
    if done.returncode != 0 or not done.stdout.strip():
        said = " ".join((done.stderr.strip() or "no answer").split())
        return DebuggerAnswer(how, refusal=f"{how}: {said}")
    return DebuggerAnswer(how, text=done.stdout, is_json=is_json)


def _executable(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else (shutil.which(name) or "")


def _is_refused(text: str) -> bool:
    return any(word in text.lower() for word in _REFUSALS)


def _what_to_do() -> str:
    try:
        scope = YAMA.read_text("ascii").strip()
    except OSError:
        scope = ""
    if scope == "1":
        return (
            "Yama's ptrace_scope is 1, so only an ancestor may attach: run this program as root, or "
            "`sudo sysctl kernel.yama.ptrace_scope=0`"
        )
    if scope in {"2", "3"}:
        return f"Yama's ptrace_scope is {scope}: run this program as root" + (
            ", or boot with a lower one" if scope == "3" else ""
        )
    return "run this program as root, or give its container the capability SYS_PTRACE"
