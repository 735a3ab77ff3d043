"""``repro bisect``: the release, or the day, since which it hangs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options import (
    RUNS,
    backend_options,
    command_line,
    end_tidily_on_signals,
    new_folder,
    reproduce,
    shared_options,
)
from repro.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from repro.core.bisection import Bisection
    from repro.model import Cell
    from repro.orchestration.hunt import Found, Probe
    from repro.orchestration.planning import Prepared
    from repro.world.releases import Release
    from repro.world.store import RunStore

EPILOG = """\b
Examples:
  repro bisect urllib3 --good 1.26.14 --bad 2.2.1 --set locust=2.24.0 --set gevent=24.2.1 --set boto3=1.34.60
  repro bisect gevent --find fixed --bad 24.2.1 --good 25.9.1 --set locust=2.24.0 --set urllib3=2.2.1
  repro bisect --date 2023-02-15..2024-03-15
  repro bisect urllib3 --good 1.26.14 --bad 2.2.1 --out my-hunt --resume"""

SINGLE = "locust-2637/single"
SINCE = date(2023, 1, 1)
"""Where a hunt without a bound begins."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """What is hunted: the factor, the levels in their order, their dates where known."""

    factor: str
    levels: tuple[str, ...]
    released: dict[str, date | None]


@click.command("bisect", epilog=EPILOG)
@click.argument("package", required=False)
@shared_options
@click.option("--good", metavar="VERSION", help="A release that does not hang.")
@click.option("--bad", metavar="VERSION", help="A release that hangs.")
@click.option("--find", type=click.Choice(["bad", "fixed"]), default="bad", show_default=True, help="The first release that hangs, or the first that no longer does.")  # fmt: skip
@click.option("--date", "days", metavar="GOOD..BAD", help="Hunt for the day on which the freshly resolved environment began to hang.")  # fmt: skip
@click.option("--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True)
@click.option("--max-trials", type=click.IntRange(2), default=60, show_default=True, help="Give up after so many.")
@click.option("--pre", is_flag=True, help="Pre-releases too.")
@click.option("--yanked", is_flag=True, help="Withdrawn releases too.")
@click.option("--resume", is_flag=True, help="Go on with the hunt in --out.")
@click.option("--log", "show_log", is_flag=True, help="Print the probes as commands at the end.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Find the release of PACKAGE, or the day, since which it hangs, although the hang comes only sometimes.

    Both ends are proved first. EXPERIMENT must leave one cell besides what is hunted; without it, it is
    locust-2637/single, a client made in every iteration. All other packages are as --set says, else the newest.
    """
    end_tidily_on_signals()
    ctx.exit(_hunt(given))


def _hunt(given: dict[str, Any]) -> ExitCode:
    from repro.orchestration.hunt import Candidate, Hunt
    from repro.presentation.console import make_console

    package, experiment = given["package"], given["experiment"]
    if given["days"] and package and not experiment:
        package, experiment = None, package  # `repro bisect --date A..B EXPERIMENT`
    wanted = _days(given) if given["days"] else _releases(package, given)
    prepared = _prepared(wanted, experiment, given)
    candidates = [
        Candidate(name=level, released=wanted.released[level], cell=cell)
        for level, cell in zip(wanted.levels, prepared.plan.cells, strict=True)
    ]
    console = make_console(to_stderr=True)
    store = _store(given, prepared, wanted)
    try:
        with _session(given, prepared) as session:

            def probe(cell: Cell, number: int) -> Any:
                trial = session.trial(cell, number, store.evidence_folder(cell.id, number))
                store.add_trial(trial)
                return trial

            def say(probe: Probe, state: Bisection) -> None:
                console.print(_line(probe, state, candidates), highlight=False, markup=False, soft_wrap=True)

            found = Hunt(
                candidates=candidates,
                probe=probe,
                direction=_direction(given["find"]),
                confidence=given["confidence"],
                most_trials=given["max_trials"],
                build_ahead=session.environment_of,
                on_probe=say,
            ).run(store.finished_trials())
        return _show(found, wanted, given, store)
    finally:
        store.close()


def _direction(find: str) -> Any:
    from repro.core.bisection import Direction

    return Direction(find)


def _prepared(wanted: Range, experiment: str | None, given: dict[str, Any]) -> Prepared:
    from repro.orchestration.planning import Request, prepare

    is_package = wanted.factor != "as_of"
    levels = f"{'packages.' if is_package else ''}{wanted.factor}={','.join(wanted.levels)}"
    if given["backend"] == "aws":
        raise UsageError("a hunt makes too many requests for a real account; use --backend moto or ministack")
    prepared = prepare(
        Request(
            experiment=experiment or SINGLE,
            overrides=(*given["overrides"], levels),
            locustfile=given["locustfile"],
            python=given["python"],
            backends=(given["backend"],) if given["backend"] else (),
        )
    )
    if others := [name for name in prepared.plan.varied if name != wanted.factor]:
        raise UsageError(
            f"a hunt varies {wanted.factor} alone, and the experiment varies {', '.join(others)} too; fix each by --set NAME=LEVEL"
        )
    return prepared


def _releases(package: str | None, given: dict[str, Any]) -> Range:
    from packaging.utils import canonicalize_name

    from repro.world.interpreters import find
    from repro.world.releases import releases

    if not package:
        raise UsageError("say what to hunt: a PACKAGE, or --date GOOD..BAD")
    name = str(canonicalize_name(package))
    known = releases(name, python=find().version, include_prereleases=given["pre"], include_yanked=given["yanked"])
    if not known:
        raise UsageError(f"{package} has no release for this interpreter; --pre and --yanked allow more")
    first, last = (given["good"], given["bad"]) if given["find"] == "bad" else (given["bad"], given["good"])
    low = _place(first, known, package) if first else _since(known)
    high = _place(last, known, package) if last else len(known) - 1
    if low == high:
        raise UsageError(f"--good and --bad are the same release, {known[low]}; give two")
    if low > high:
        order = (
            "--good is to be the older one"
            if given["find"] == "bad"
            else "with --find fixed, --bad is to be the older one"
        )
        raise UsageError(f"{first} is newer than {last}: exchange --good and --bad ({order}), or see --find")
    chosen = known[low : high + 1]
    return Range(
        factor=name, levels=tuple(map(str, chosen)), released={str(release): release.released for release in chosen}
    )


def _since(known: Sequence[Release]) -> int:
    """Where a hunt without its older bound begins: the last release before ``SINCE``."""
    old = [index for index, release in enumerate(known) if release.released and release.released < SINCE]
    return old[-1] if old else 0


def _place(version: str, known: Sequence[Release], package: str) -> int:
    names = [str(release) for release in known]
    if version not in names:
        near = difflib.get_close_matches(version, names, n=3)
        hint = f"near ones are {', '.join(near)}" if near else f"there are {names[0]} to {names[-1]}"
        raise UsageError(
            f"{package} {version} is no release that can be hunted (unknown, withdrawn, a pre-release, or not for this Python); {hint}"
        )
    return names.index(version)


def _days(given: dict[str, Any]) -> Range:
    first, sign, last = given["days"].partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        sign = ""
        begin = end = SINCE
    if not sign or begin >= end:
        raise UsageError(
            f"--date {given['days']}: write the good day and the later bad one, such as 2023-02-15..2024-03-15"
        )
    days = [begin + timedelta(number) for number in range((end - begin).days + 1)]
    names = tuple(day.isoformat() for day in days)
    return Range(factor="as_of", levels=names, released=dict(zip(names, days, strict=True)))


def _store(given: dict[str, Any], prepared: Prepared, wanted: Range) -> RunStore:
    from repro.cli.run import machine, tool_versions
    from repro.world.locustfiles import keep
    from repro.world.store import create_run, find_run, open_run

    if given["resume"]:
        store = open_run(given["out"] or find_run(None, RUNS))
        if {cell.cell.id for cell in store.read().cells} != {cell.id for cell in prepared.plan.cells}:
            stored = store.read()
            store.close()
            raise UsageError(f"--resume: {stored.folder} is another hunt; type what it was made with: {stored.command}")
        return store
    store = create_run(
        new_folder(given["out"], f"bisect-{wanted.factor}"),
        plan=prepared.plan,
        command=command_line(),
        seed=given["seed"],
        machine=machine(),
        tool_versions=tool_versions(),
    )
    keep(prepared.scenario.locustfile, store.folder)
    return store


def _session(given: dict[str, Any], prepared: Prepared) -> Any:
    from repro.orchestration.session import Options, Session

    return Session(
        prepared.plan,
        Options(
            locustfile=prepared.scenario.locustfile,
            seed=given["seed"],
            is_untouched=given["python"] is not None,
            backend=backend_options(endpoint_url=given["endpoint_url"], region=None, profile=None),
            reproduce=lambda cell: reproduce(
                [*given["overrides"], cell.label], experiment=given["experiment"] or SINGLE
            ),
        ),
    )


def _line(probe: Probe, state: Bisection, candidates: Sequence[Any]) -> str:
    """What a probe came to, and what is believed now."""
    from repro.core.untrusted import for_terminal

    posterior = state.posterior()
    best = max(range(len(posterior)), key=posterior.__getitem__)
    likeliest = candidates[best].name if best < len(candidates) else "no change"
    verdict = probe.trial.verdict.value + (f" ({probe.trial.hang.hang_class})" if probe.trial.hang else "")
    apart = "" if probe.hang is not None else f"  does not count: {for_terminal(probe.trial.reason)[:120]}"
    return f"{verdict:<20} {probe.trial.seconds:5.1f} s  {probe.candidate.name:<12} likeliest: {likeliest}, {posterior[best]:.0%}{apart}"


def _show(found: Found, wanted: Range, given: dict[str, Any], store: RunStore) -> ExitCode:
    from repro.core.bisection import AnswerKind
    from repro.core.untrusted import for_terminal
    from repro.orchestration.hunt import answer_document, block_of, documents_of, sentence_of
    from repro.presentation.document import document

    sentence = sentence_of(found, package=wanted.factor)
    block = block_of(found, package=wanted.factor, sentence=sentence, command=command_line())
    store.set_conclusion(sentence)
    store.set_hunt(
        {
            "answer": answer_document(found, package=wanted.factor, sentence=sentence),
            "probes": documents_of(found.probes),
            "block": block,
        }
    )
    store.finish()
    click.echo(for_terminal(block), err=given["as_json"])
    if given["show_log"]:
        for probe in found.probes:
            click.echo(for_terminal(f"{probe.trial.command}  # {probe.trial.verdict}"), err=given["as_json"])
    if given["as_json"]:
        click.echo(json.dumps(document(store.read()), indent=1))
    click.echo(f"Evidence is in {store.folder}.", err=True)
    if found.answer.kind is AnswerKind.UNKNOWN:
        return ExitCode.INCONCLUSIVE
    return ExitCode.HANG if any(probe.hang for probe in found.probes) else ExitCode.NO_HANG
