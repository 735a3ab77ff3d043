"""``repro bisect``: the release, or the day, since which it hangs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from repro.cli.hunt_options import (
    check_is_same,
    check_options,
    drop_probes,
    hunting_options,
    report_line,
    resumed_folder,
    said_when_cut_short,
    show_document,
    show_log,
)
from repro.cli.options import (
    Command,
    backend_options,
    command_line,
    default_jobs,
    end_tidily_on_signals,
    new_folder,
    reproduce,
    shared_options,
)
from repro.cli.resumption import check_load, closed_on_error, keep_load
from repro.errors import ExitCode, UnreachableError, UntestableError, UsageError
from repro.model import TrialOptions

if TYPE_CHECKING:
    from repro.model import Cell, Trial
    from repro.orchestration.hunt import Belief, Found
    from repro.orchestration.preparation import Prepared
    from repro.orchestration.probes import Probe
    from repro.orchestration.session import Session
    from repro.world.environments.releases import Release
    from repro.world.runs.store import RunStore

EPILOG = """\b
Examples:
  repro bisect urllib3 --good 1.26.14 --bad 2.2.1 --set locust=2.24.0 --set gevent=24.2.1
  repro bisect gevent --find fixed --set locust=2.24.0 --set urllib3=2.2.1
  repro bisect --date 2023-02-15..2024-03-15
  repro bisect urllib3 --good 1.26.14 --bad 2.2.1 --out my-hunt --resume --undo"""

SINGLE = "locust-2637/single"
SINCE = date(2023, 1, 1)
"""Where a hunt without any bound begins."""
FIRST_REACH = 4
"""How many releases beside a bound that was given a hunt without the other one begins with."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """What is hunted: the factor, the levels in their order, their dates where known, and where among them to begin."""

    factor: str
    levels: tuple[str, ...]
    released: dict[str, date | None]
    window: tuple[int, int] | None = None


@click.command("bisect", cls=Command, epilog=EPILOG)
@click.argument("package", required=False)
@shared_options
@click.option("--good", metavar="VERSION", help="A release that does not hang.")
@click.option("--bad", metavar="VERSION", help="A release that hangs.")
@click.option("--find", type=click.Choice(["bad", "fixed"]), default="bad", show_default=True, help="The first release that hangs, or the first that no longer does.")  # fmt: skip
@click.option("--date", "days", metavar="GOOD..BAD", help="Hunt for the day on which the freshly resolved environment began to hang.")  # fmt: skip
@click.option("--pre", is_flag=True, help="Pre-releases too.")
@click.option("--yanked", is_flag=True, help="Withdrawn releases too.")
@hunting_options(most_trials=200)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Find the release of PACKAGE, or the day, since which it hangs, although the hang comes only sometimes.

    Both ends are proved first. EXPERIMENT must leave one cell besides what is hunted; without it, it is
    locust-2637/single, a client made in every iteration. All other packages are as --set says, else the newest. With
    only one of --good and --bad the other is looked for outward from it; with neither, since 2023.
    """
    end_tidily_on_signals()
    ctx.exit(_hunt(given))


def _hunt(given: dict[str, Any]) -> ExitCode:
    from repro.core.search.bisection import Direction
    from repro.orchestration.hunt import Hunt
    from repro.orchestration.probes import Candidate
    from repro.presentation.console import make_console

    if given["days"] and given["package"] and not given["experiment"]:
        given = {**given, "package": None, "experiment": given["package"]}  # `repro bisect --date A..B EXPERIMENT`
    check_options(given)
    wanted = _range(given)
    prepared = _prepared(wanted, given)
    candidates = [
        Candidate(name=level, released=wanted.released[level], cell=cell)
        for level, cell in zip(wanted.levels, prepared.plan.cells, strict=True)
    ]
    console = make_console(to_stderr=True)
    store = _store(given, prepared, wanted)
    probes: list[Probe] = []

    def say(probe: Probe, belief: Belief) -> None:
        probes.append(probe)
        console.print(_line(probe, belief), highlight=False, markup=False, soft_wrap=True)

    try:
        with (
            said_when_cut_short(store, probes, as_json=given["as_json"], no_redact=given["no_redact"]),
            _session(given, prepared) as session,
        ):

            def probe(cell: Cell, number: int) -> Trial:
                return session.trial(cell, number, store.evidence_folder(cell.id, number))

            found = Hunt(
                candidates=candidates,
                probe=probe,
                keep=store.add_trial,
                direction=Direction(given["find"]),
                confidence=given["confidence"],
                most_trials=given["max_trials"],
                jobs=given["jobs"] or default_jobs(),
                window=wanted.window,
                build_ahead=session.environment_of,
                cancel=session.cancel,
                on_probe=say,
            ).run(store.finished_trials())
        return _show(found, wanted, given, store)
    finally:
        store.close()


# What is hunted


def _range(given: dict[str, Any]) -> Range:
    if given["resume"] and (stored := _stored_range(given)):
        return stored
    return _days(given) if given["days"] else _releases(given)


def _stored_range(given: dict[str, Any]) -> Range | None:
    """The range of the hunt that goes on, whatever the index says by now; None where it was not kept."""
    from repro.world.runs.store import read_run

    stored = read_run(resumed_folder(given))
    hunted: Any = (stored.hunt or {}).get("hunted")
    if hunted is None:
        return None
    check_is_same(stored, hunted["asked"], _asked(given))
    days = {name: date.fromisoformat(day) if day else None for name, day in hunted["released"].items()}
    window = hunted["window"]
    return Range(
        factor=hunted["factor"], levels=tuple(days), released=days, window=(window[0], window[1]) if window else None
    )


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """What makes a hunt another one, besides the plan."""
    return {name: given[name] for name in ("package", "good", "bad", "find", "days", "pre", "yanked")}


def _releases(given: dict[str, Any]) -> Range:
    from packaging.utils import canonicalize_name

    from repro.world.environments.releases import releases, takes

    package = given["package"]
    if not package:
        raise UsageError("say what to hunt: a PACKAGE, or --date GOOD..BAD")
    name = str(canonicalize_name(package))
    python = _check_part(name, given)
    known = releases(name, include_prereleases=given["pre"], include_yanked=given["yanked"])
    fitting = [release for release in known if takes(python, release)]
    if len(fitting) < 2:
        raise UsageError(
            f"{package} has {len(fitting) or 'no'} release{'' if fitting else 's'} for Python {python}, and a hunt needs two; --pre and --yanked "
            "allow more, --set python=VERSION takes another interpreter"
        )
    first, last = (given["good"], given["bad"]) if given["find"] == "bad" else (given["bad"], given["good"])
    low = _place(first, known, fitting, package) if first else None
    high = _place(last, known, fitting, package) if last else None
    if low is not None and low == high:
        raise UsageError(f"--good and --bad are the same release, {known[low]}; give two")
    if low is not None and high is not None and low > high:
        order = (
            "--good is to be the older one"
            if given["find"] == "bad"
            else "with --find fixed, --bad is to be the older one"
        )
        raise UsageError(f"{first} is newer than {last}: exchange --good and --bad ({order}), or see --find")
    begin, end, window = _reach(low, high, known)
    if begin == end:
        raise UsageError(
            f"there is no release beyond {known[begin]} to look at; leave that bound out, or give the other"
        )
    chosen = known[begin : end + 1]
    return Range(
        factor=name,
        levels=tuple(map(str, chosen)),
        released={str(release): release.released for release in chosen},
        window=window,
    )


def _reach(low: int | None, high: int | None, known: Sequence[Release]) -> tuple[int, int, tuple[int, int] | None]:
    """The first and the last release that a hunt may come to, and where among them it begins, None for all."""
    last = len(known) - 1
    if low is not None and high is not None:
        return low, high, None
    if high is not None:
        return 0, high, (max(high - FIRST_REACH, 0), high)
    if low is not None:
        return low, last, (0, min(FIRST_REACH, last - low))
    old = [index for index, release in enumerate(known) if release.released and release.released < SINCE]
    return (old[-1] if old else 0), last, None


def _place(version: str, known: Sequence[Release], fitting: Sequence[Release], package: str) -> int:
    names = [str(release) for release in known]
    if version in names and version not in {str(release) for release in fitting}:
        raise UsageError(
            f"{package} {version} needs Python {known[names.index(version)].requires_python}; give one that the cell's "
            "interpreter takes, or another interpreter by --set python=VERSION"
        )
    if version not in names:
        near = difflib.get_close_matches(version, names, n=3)
        hint = f"near ones are {', '.join(near)}" if near else f"there are {names[0]} to {names[-1]}"
        raise UsageError(
            f"{package} {version} is no release that can be hunted (unknown, withdrawn: --yanked, or a pre-release: --pre); {hint}"
        )
    return names.index(version)


def _check_part(name: str, given: dict[str, Any]) -> str:
    """The version of the cell's interpreter, once it is clear that the package is part of the cell's environment."""
    from repro.world.environments.cache import resolve
    from repro.world.environments.interpreters import find
    from repro.world.shipped.scenarios import root

    prepared = _plan((), given)
    spec = prepared.plan.cells[0].environment
    python = find(spec.python).version
    try:
        parts = resolve(spec)
    except UnreachableError:
        raise
    except UntestableError as error:
        if given["pre"] or given["yanked"]:
            return python  # it may go together with a release that nobody gets without asking for it
        raise UntestableError(f"no release of {name} can be installed with what else was set. {error}") from error
    is_own = not prepared.scenario.locustfile.is_relative_to(root().resolve())
    if name not in {*parts, *spec.pins} and not is_own:
        near = difflib.get_close_matches(name, parts, n=1)
        needs = ", ".join(one for one in ("locust", "boto3", "gevent", "urllib3", "botocore") if one in parts)
        hint = f"did you mean {near[0]}?" if near else f"it is made of {needs}, and of what these need"
        raise UsageError(
            f"{name} is no part of {prepared.plan.experiment}, so that no release of it would change anything; {hint}"
        )
    return python


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


# Its cells and its folder


def _prepared(wanted: Range, given: dict[str, Any]) -> Prepared:
    is_package = wanted.factor != "as_of"
    prepared = _plan((f"{'packages.' if is_package else ''}{wanted.factor}={','.join(wanted.levels)}",), given)
    if others := [name for name in prepared.plan.varied if name != wanted.factor]:
        raise UsageError(
            f"a hunt varies {wanted.factor} alone, and the experiment varies {', '.join(others)} too; fix each by --set NAME=LEVEL"
        )
    if len(prepared.plan.cells) != len(wanted.levels):
        raise UsageError(
            f"{prepared.plan.experiment} excludes some of the {len(wanted.levels)} cells that are hunted; take the exclusion out"
        )
    return prepared


def _plan(levels: tuple[str, ...], given: dict[str, Any]) -> Prepared:
    from repro.orchestration.preparation import RunRequest, prepare

    if given["python"]:
        raise UsageError(
            "--python runs an environment as it is, and a hunt changes what is installed; say --set python=VERSION"
        )
    return prepare(
        RunRequest(
            experiment=given["experiment"] or SINGLE,
            overrides=(*given["overrides"], *levels),
            locustfile=given["locustfile"],
            backends=(given["backend"],) if given["backend"] else (),
        )
    )


def _store(given: dict[str, Any], prepared: Prepared, wanted: Range) -> RunStore:
    from repro.cli.run import machine, tool_versions
    from repro.world.runs.store import create_run, open_run

    if given["resume"]:
        store = open_run(resumed_folder(given))
        stored = store.read()
        with closed_on_error(store):
            check_is_same(stored, {cell.cell.id for cell in stored.cells}, {cell.id for cell in prepared.plan.cells})
            check_load(store, prepared)
            drop_probes(store, given)
        return store
    store = create_run(
        new_folder(given["out"], f"bisect-{wanted.factor}"),
        plan=prepared.plan,
        command=command_line(),
        seed=given["seed"],
        machine=machine(),
        tool_versions=tool_versions(),
    )
    with closed_on_error(store):
        keep_load(store, prepared)
    days = {name: day.isoformat() if day else None for name, day in wanted.released.items()}
    store.set_hunt(
        {"hunted": {"factor": wanted.factor, "released": days, "window": wanted.window, "asked": _asked(given)}}
    )
    return store


def _session(given: dict[str, Any], prepared: Prepared) -> Session:
    from repro.orchestration.session import Session, SessionOptions

    return Session(
        prepared.plan,
        SessionOptions(
            TrialOptions(locustfile=prepared.scenario.locustfile, seed=given["seed"]),
            backend=backend_options(endpoint_url=given["endpoint_url"], region=None, profile=None),
            reproduce=lambda cell: reproduce(
                [*given["overrides"], cell.label], experiment=given["experiment"] or SINGLE
            ),
        ),
    )


# What is shown


def _line(probe: Probe, belief: Belief) -> str:
    """What a probe came to, and what is believed now."""
    from repro.core.scrubbing.terminal import for_terminal

    verdict = probe.trial.verdict.value + (f" ({probe.trial.hang.hang_class})" if probe.trial.hang else "")
    apart = "" if probe.hang is not None else f"  does not count: {for_terminal(probe.trial.reason)[:120]}"
    return (
        f"{verdict:<20} {probe.trial.seconds:5.1f} s  {probe.candidate.name:<12} "
        f"likeliest: {belief.likeliest}, {belief.probability:.0%}{apart}"
    )


def _show(found: Found, wanted: Range, given: dict[str, Any], store: RunStore) -> ExitCode:
    from repro.core.scrubbing.terminal import for_terminal
    from repro.core.search.bisection import AnswerKind
    from repro.orchestration.answers import answer_document, block_of, sentence_of

    what = "the packages as of" if wanted.factor == "as_of" else wanted.factor
    sentence = sentence_of(found, package=what)
    block = block_of(found, package=what, sentence=sentence, command=store.read().command)
    store.finish()
    click.echo(for_terminal(block), err=given["as_json"])
    if given["show_log"]:
        show_log(found.probes, to_stderr=given["as_json"])
    answer = answer_document(found, package=wanted.factor, sentence=sentence)
    show_document(store, found.probes, answer, as_json=given["as_json"], no_redact=given["no_redact"], block=block)
    click.echo(for_terminal(f"Evidence is in {store.folder}. Next: `{report_line(store.folder)}`"), err=True)
    if found.answer.kind is AnswerKind.UNKNOWN:
        return ExitCode.INCONCLUSIVE
    return ExitCode.HANG if any(probe.hang for probe in found.probes) else ExitCode.NO_HANG
