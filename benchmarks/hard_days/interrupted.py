"""A signal in each phase: exit 130, nothing left running, and the run goes on with ``--resume``."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from damaged import wait_for
from day import Day, Outcome
from leaked import with_facts
from right import INTERRUPTED, Right, clean, code, fact, hang, says
from table import Try

PHASE_LIMIT_S = 40
STACKS = "evidence/*/*-*.json"  # each rung of the ladder writes one
PROGRESS = {"starting": "", "backend": "backend ", "running": "running ", "late": "running "}
SIGNALS = {"int": signal.SIGINT, "term": signal.SIGTERM, "hup": signal.SIGHUP}
Aim = Callable[[subprocess.Popen[bytes], int], None]


def alone(process: subprocess.Popen[bytes], number: int) -> None:
    """The signal to the program alone, as ``kill`` sends it."""
    process.send_signal(number)


def group(process: subprocess.Popen[bytes], number: int) -> None:
    """The signal to its whole group, as a terminal sends it."""
    os.killpg(process.pid, number)


def at(phase: str, number: int, aim: Aim = alone, *, times: int = 1) -> Callable[[subprocess.Popen[bytes], Path], None]:
    """Sends the signal once the progress says that the phase has begun."""

    def meanwhile(process: subprocess.Popen[bytes], progress: Path) -> None:
        wait_for(lambda: PROGRESS[phase] in progress.read_text() or process.poll() is not None, PHASE_LIMIT_S)
        time.sleep(0.5 if phase == "starting" else 1.5 if phase == "late" else 0)
        for _ in range(times):
            if process.poll() is None:
                aim(process, number)
                time.sleep(0.1)

    return meanwhile


def signalled(phase: str, number: int, aim: Aim = alone, *, times: int = 1) -> Callable[[Day], Outcome]:
    """A run that is sent the signal in the phase."""
    return lambda day: day.run("--set", "seconds=5", meanwhile=at(phase, number, aim, times=times))


def building(number: int) -> Callable[[Day], Outcome]:
    """The signal while the environment is built, in its own cache."""

    def make(day: Day) -> Outcome:
        cache = day.folder / "cache"

        def meanwhile(process: subprocess.Popen[bytes], _: Path) -> None:
            wait_for(lambda: process.poll() is not None or any(cache.glob("environments/*")), PHASE_LIMIT_S)
            if process.poll() is None:
                process.send_signal(number)

        return day.run(env={"REPRO_CACHE_DIR": str(cache)}, meanwhile=meanwhile)

    return make


def collecting(number: int) -> Callable[[Day], Outcome]:
    """The signal while the evidence of a hang is collected, from the first stack that is written."""

    def make(day: Day) -> Outcome:
        sent = []

        def meanwhile(process: subprocess.Popen[bytes], _: Path) -> None:
            wait_for(lambda: process.poll() is not None or any(day.out.glob(STACKS)), PHASE_LIMIT_S)
            if process.poll() is None:
                process.send_signal(number)
                sent.append(number)

        came = day.call(
            "run", "known/deadlocked", "--trials", "1", "--out", str(day.out), "--json", meanwhile=meanwhile
        )
        return with_facts(came, sent=bool(sent))

    return make


def resumed(phase: str, number: int) -> Callable[[Day], Outcome]:
    """A run that is sent the signal and then gone on with."""

    def make(day: Day) -> Outcome:
        first = day.run("--set", "seconds=5", meanwhile=at(phase, number))
        came = day.run("--set", "seconds=5", "--resume")
        return with_facts(came, first=first.code)

    return make


def builder_killed(day: Day) -> Outcome:
    """The program killed while it builds; then the same run again with the same cache."""
    environment = {"REPRO_CACHE_DIR": str(day.folder / "cache")}
    first = building(signal.SIGKILL)(day)
    arguments = (
        "run",
        "known/clean",
        "--set",
        "seconds=2",
        "--trials",
        "1",
        "--json",
        "--out",
        str(day.folder / "again"),
    )
    return with_facts(day.call(*arguments, env=environment), first=first.code)


def hung_up_nohup(day: Day) -> Outcome:
    """SIGHUP to a program that was started with nohup: it goes on."""
    return day.run(prefix=("nohup",), meanwhile=at("running", signal.SIGHUP))


IN_TIME = fact("the signal came in time", "sent", True)
# A second signal may end the program as that signal does: shells report that as 130, too.
AT_ONCE = code(INTERRUPTED, -signal.SIGINT)
SAID = says("nterrupted|resume")
ENDED = code(INTERRUPTED) & SAID
ENDED_BY: dict[str, Right] = {
    "int": ENDED,
    "term": code(INTERRUPTED, 143) & SAID,
    "hup": code(INTERRUPTED, 129) & SAID,
}
TRIES = (
    *(
        Try(f"{name}-{phase}", "interrupted", signalled(phase, number), ENDED_BY[name])
        for name, number in SIGNALS.items()
        for phase in ("backend", "running", "late")
    ),
    Try("int-starting", "interrupted", signalled("starting", signal.SIGINT), code(INTERRUPTED)),
    *(Try(f"{name}-building", "interrupted", building(number), ENDED_BY[name]) for name, number in SIGNALS.items()),
    *(
        Try(f"{name}-collecting", "interrupted", collecting(number), (ENDED_BY[name] | hang()) & IN_TIME)
        for name, number in SIGNALS.items()
    ),
    Try("int-group-running", "interrupted", signalled("late", signal.SIGINT, group), ENDED),
    Try("int-twice-running", "interrupted", signalled("late", signal.SIGINT, times=2), AT_ONCE),
    Try("int-five-times", "interrupted", signalled("late", signal.SIGINT, group, times=5), AT_ONCE),
    Try("quit-running", "interrupted", signalled("late", signal.SIGQUIT), code(INTERRUPTED, 131, -3)),
    Try("killed-running", "interrupted", signalled("late", signal.SIGKILL), code(-9)),
    Try(
        "killed-then-resumed",
        "interrupted",
        resumed("late", signal.SIGKILL),
        clean() & fact("the first was killed", "first", -9),
    ),
    Try(
        "int-then-resumed",
        "interrupted",
        resumed("late", signal.SIGINT),
        clean() & fact("the first exit 130", "first", 130),
    ),
    Try("killed-building-then-again", "interrupted", builder_killed, clean()),
    Try("nohup-hung-up", "interrupted", hung_up_nohup, clean()),
)
