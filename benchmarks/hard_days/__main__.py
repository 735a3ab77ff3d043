"""Hostile days for a given ``repro``: ``python benchmarks/hard_days --repro PATH``.

Only its command line is used. Results are appended to ``--results`` after each try, and tries that are there already
are left out, so that a long evening can be stopped and gone on with. ``--compare BEFORE AFTER`` sets two files side by side.
"""

import argparse
import functools
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import bounds
import damaged
import died
import interrupted
import leaked
import lied
import usage
from day import CannotTry, Day, Outcome, adopt_orphans, end_descendants, folders, looked_after
from table import Result, Try, append, compared, judged, markdown, read, skipped, summary

ROOMS = (usage, damaged, leaked, died, bounds, interrupted, lied)
TRIES: tuple[Try, ...] = tuple(one for room in ROOMS for one in room.TRIES)
STORED_TIMEOUT_S = 300


def main() -> None:
    """Make the days that are asked for and print the table."""
    options = _options()
    if options.compare:
        print(compared(*(read(path) for path in options.compare)))
        return
    chosen = [one for one in TRIES if _is_chosen(one, options)]
    if options.list:
        print("\n".join(f"{one.kind:12} {one.name}{' (slow)' if one.is_slow else ''}" for one in chosen))
        return
    results = read(options.results) if options.results else {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _make_all([one for one in chosen if options.again or one.name not in results], options, results)
    finally:  # stopped in the middle of a try, too: that try is made again next time
        end_descendants()
    shown = [results[one.name] for one in chosen if one.name in results]
    print(markdown(shown), summary(shown), sep="\n\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repro", type=Path, help="the executable, such as .venv/bin/repro")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these tries alone; a name may end in *")
    parser.add_argument("--kind", choices=sorted({one.kind for one in TRIES}), help="tries of this kind alone")
    parser.add_argument("--skip-slow", action="store_true", help="leave out tries that take minutes")
    parser.add_argument("--results", type=Path, help="a file of JSON lines to append to and go on with")
    parser.add_argument(
        "--again", action="store_true", help="make tries again that are in --results; the newest line counts"
    )
    parser.add_argument("--cache", type=Path, help="a cache of environments to share; a new one when left out")
    parser.add_argument("--list", action="store_true", help="print the names and make no day")
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"), help="a table of two result files"
    )
    options = parser.parse_args()
    if not (options.compare or options.list) and not (options.repro and shutil.which(options.repro)):
        parser.error("give --repro the path of an executable, such as .venv/bin/repro")
    return options


def _is_chosen(one: Try, options: argparse.Namespace) -> bool:
    is_named = not options.only or any(Path(one.name).match(pattern) for pattern in options.only)
    return is_named and options.kind in (None, one.kind) and not (options.skip_slow and one.is_slow)


def _make_all(tries: list[Try], options: argparse.Namespace, results: dict[str, Result]) -> None:
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="hard-days-", ignore_cleanup_errors=True) as name:
        house, program = Path(name), Path(shutil.which(options.repro) or options.repro).absolute()
        cache = (options.cache or house / "cache").absolute()
        stored = functools.cache(lambda: _stored(program, house, cache))
        for number, one in enumerate(tries, start=1):
            with folders(house / str(number)) as folder:
                day = Day(program, folder, cache, stored, one.timeout_s)
                result = _made(one, day)
            results[one.name] = result
            if options.results:
                append(options.results, result)
            print(f"{number}/{len(tries)} {result.mark:7} {one.name}: {result.came[:100]}", file=sys.stderr, flush=True)


def _made(one: Try, day: Day) -> Result:
    try:
        came: Outcome = one.make(day)
    except (CannotTry, subprocess.SubprocessError, OSError) as refusal:
        end_descendants()
        return skipped(one, f"{type(refusal).__name__}: {refusal}")
    return judged(one, looked_after(day, came))


def _stored(program: Path, house: Path, cache: Path) -> Path:
    """The small run that the tries on reports and damage copy."""
    with folders(house / "first") as folder:
        day = Day(program, folder, cache, lambda: house / "stored", STORED_TIMEOUT_S)
        came = looked_after(day, leaked.stored(day))
        if came.code not in (0, 1, 3):
            raise SystemExit(f"the first run failed, so there is nothing to damage: {came.stderr}")
        shutil.copytree(day.out, house / "stored")
    return house / "stored"


if __name__ == "__main__":
    main()
