"""A stored run that was damaged: said in one sentence, or read as far as it is whole; never a traceback or other data."""

import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from day import QUICK, Day, Outcome, needs_mounts
from right import Right, code, refused, says, sentence
from table import Try

Damage = Callable[[Path], None]
TENTHS = range(10)


def report_of(damage: Damage) -> Callable[[Day], Outcome]:
    """A report of a copy of the stored run, after the damage."""

    def make(day: Day) -> Outcome:
        run = day.copy_stored()
        damage(run)
        return day.call("report", str(run), "--format", "md")

    return make


def listed_after(damage: Damage) -> Callable[[Day], Outcome]:
    """``list runs`` in a folder whose only run was damaged."""

    def make(day: Day) -> Outcome:
        run = Path(shutil.copytree(day.stored, day.cwd / "repro-runs" / "broken-run"))
        damage(run)
        return day.call("list", "runs")

    return make


def resumed_after(damage: Damage) -> Callable[[Day], Outcome]:
    """``run --resume`` on a clean run, after the damage."""

    def make(day: Day) -> Outcome:
        first = day.run()
        if first.code:
            return first
        damage(day.out)
        return day.run("--resume")

    return make


def truncated(tenths: int) -> Damage:
    """The run file cut after so many tenths, and what SQLite keeps beside it gone."""

    def damage(run: Path) -> None:
        settled(run)
        file = run / "run.sqlite"
        os.truncate(file, file.stat().st_size * tenths // 10)

    return damage


def settled(run: Path) -> None:
    """All that is in the write-ahead log moved into the run file."""
    with sqlite3.connect(run / "run.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def overwritten(content: Callable[[int], bytes], begin: int = 0) -> Damage:
    """Bytes of the run file replaced, from ``begin``."""

    def damage(run: Path) -> None:
        settled(run)
        file = run / "run.sqlite"
        whole = file.read_bytes()
        file.write_bytes(whole[:begin] + content(len(whole) - begin))

    return damage


def pragma(name: str, value: int) -> Damage:
    """A number in the head of the run file changed."""

    def damage(run: Path) -> None:
        with sqlite3.connect(run / "run.sqlite") as database:
            database.execute(f"PRAGMA {name} = {value}")
        database.close()

    return damage


def statement(text: str) -> Damage:
    """A statement carried out in the run file."""

    def damage(run: Path) -> None:
        with sqlite3.connect(run / "run.sqlite") as database:
            database.execute(text)
        database.close()

    return damage


def folder_in_place(run: Path) -> None:
    """A folder where the run file belongs."""
    (run / "run.sqlite").unlink()
    (run / "run.sqlite").mkdir()


def no_evidence(run: Path) -> None:
    """The evidence deleted."""
    shutil.rmtree(run / "evidence")


def log_left(run: Path) -> None:
    """A write-ahead log of garbage beside the run file."""
    (run / "run.sqlite-wal").write_bytes(random.Random(3).randbytes(8192))


def garbage_evidence(run: Path) -> None:
    """All evidence overwritten."""
    for path in (run / "evidence").rglob("*"):
        if path.is_file():
            path.write_bytes(random.Random(4).randbytes(3000))


def read_only(day: Day) -> Outcome:
    """A report of a run on a disk that cannot be written to."""
    needs_mounts()
    run = day.copy_stored()
    command = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    return day.call("report", str(run), prefix=("unshare", "--mount", "sh", "-c", command, "sh", str(run)))


def two_programs(day: Day) -> Outcome:
    """A second program on a run that is still under way."""
    arguments = ("run", "known/clean", "--set", "seconds=8", "--trials", "1", "--out", str(day.out))
    with (day.folder / "first").open("wb") as output:
        other = subprocess.Popen(
            [str(day.program), *arguments], cwd=day.cwd, env=day.environment(), stdout=output, stderr=output
        )
    wait_for((day.out / "run.sqlite").exists)
    try:
        return day.call("run", "known/clean", *QUICK, "--out", str(day.out), "--resume")
    finally:
        other.wait(60)


def wait_for(is_so: Callable[[], bool], limit_s: float = 40) -> bool:
    """Whether it came to be within the limit."""
    ends = time.monotonic() + limit_s
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.02)
    return is_so()


BROKEN = refused("run") | sentence(4, naming="run")
READ = Right("exit 0 with the verdict", lambda came: came.code == 0 and "hang" in came.stdout)
SHOWN = code(0) & says("broken-run")
TRIES = (
    *(Try(f"truncated-{tenth}-tenths", "damaged", report_of(truncated(tenth)), BROKEN | READ) for tenth in TENTHS),
    Try("zeroed", "damaged", report_of(overwritten(bytes)), BROKEN),
    Try("random-bytes", "damaged", report_of(overwritten(random.Random(1).randbytes)), BROKEN),
    Try("random-bytes-after-head", "damaged", report_of(overwritten(random.Random(2).randbytes, 4096)), BROKEN),
    Try("wrong-application", "damaged", report_of(pragma("application_id", 7)), BROKEN),
    Try("newer-schema", "damaged", report_of(pragma("user_version", 99)), BROKEN),
    Try("no-facts", "damaged", report_of(statement("DELETE FROM facts")), BROKEN),
    Try("no-table", "damaged", report_of(statement("DROP TABLE trials")), BROKEN),
    Try("documents-not-json", "damaged", report_of(statement("UPDATE trials SET document = '{'")), BROKEN),
    Try("documents-empty", "damaged", report_of(statement("UPDATE trials SET document = '{}'")), BROKEN),
    Try("verdict-unknown", "damaged", report_of(statement("UPDATE trials SET verdict = 'marvellous'")), BROKEN | READ),
    Try("folder-in-its-place", "damaged", report_of(folder_in_place), BROKEN),
    Try("file-missing", "damaged", report_of(lambda run: (run / "run.sqlite").unlink()), BROKEN),
    Try("evidence-gone", "damaged", report_of(no_evidence), READ),
    Try("evidence-garbage", "damaged", report_of(garbage_evidence), READ),
    Try("log-left-behind", "damaged", report_of(log_left), READ | BROKEN),
    Try("read-only-folder", "damaged", read_only, READ),
    Try("list-newer-schema", "damaged", listed_after(pragma("user_version", 99)), SHOWN),
    Try("list-zeroed", "damaged", listed_after(overwritten(bytes)), SHOWN),
    Try("list-wrong-application", "damaged", listed_after(pragma("application_id", 7)), SHOWN),
    Try("list-truncated", "damaged", listed_after(truncated(5)), SHOWN),
    Try("list-folder-in-place", "damaged", listed_after(folder_in_place), SHOWN),
    Try("resume-zeroed", "damaged", resumed_after(overwritten(bytes)), BROKEN),
    Try("resume-newer-schema", "damaged", resumed_after(pragma("user_version", 99)), BROKEN),
    Try("resume-evidence-gone", "damaged", resumed_after(no_evidence), code(0)),
    Try("two-programs", "damaged", two_programs, BROKEN),
)
