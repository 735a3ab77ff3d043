"""``repro blame``: the package among all that changed, and its release, since which it hangs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
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
    from repro.orchestration.blame import Accusation
    from repro.orchestration.mixture import End, Mixer
    from repro.orchestration.preparation import Prepared
    from repro.orchestration.probes import Probe
    from repro.orchestration.session import Session
    from repro.world.runs.store import RunStore

EPILOG = """\b
Examples:
  repro blame --good-as-of 2023-02-15 --bad-as-of 2024-03-15
  repro blame --good old-freeze.txt --bad new-freeze.txt --locustfile mine.py
  repro blame --good before/uv.lock --bad after/uv.lock
  repro blame --good old/.venv/bin/python --bad .venv/bin/python --out hunt --resume"""

SINGLE = "locust-2637/single"
ESSENTIAL = frozenset({"locust", "boto3"})
"""What no list of packages to be blamed can lack; what else a scenario needs comes in by itself."""
_SIDE = "a requirements file, `pip freeze`, uv.lock, pylock.toml, or an environment's interpreter"
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("blame", cls=Command, epilog=EPILOG)
@shared_options
@click.option("--good", type=click.Path(path_type=Path), metavar="PATH", help=f"Packages that do not hang: {_SIDE}.")
@click.option("--bad", type=click.Path(path_type=Path), metavar="PATH", help="Packages that hang, likewise.")
@click.option("--good-as-of", type=_DAY, metavar="DAY", help="The packages as they resolved on a day that did not hang.")  # fmt: skip
@click.option("--bad-as-of", type=_DAY, metavar="DAY", help="The packages as they resolved on a day that hangs.")
@hunting_options(most_trials=200)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Find which of the packages that changed make it hang, alone or together, and since which release of each.

    Both ends are proved first. Sets of packages from the bad side are put into the good one until the smallest that hangs
    is found; then the releases of each are gone through; then the smallest set that cures the bad side is looked for.
    EXPERIMENT must leave one cell; without it, it is locust-2637/single, a client made in every iteration.
    """
    end_tidily_on_signals()
    ctx.exit(_blame(given))


def _blame(given: dict[str, Any]) -> ExitCode:
    from repro.orchestration.blame import Blaming
    from repro.presentation.console import make_console
    from repro.world.environments.releases import releases

    check_options(given)
    _check_ends(given)
    prepared = _prepared(given)
    console = make_console(to_stderr=True)

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    mixer = _mixer(given, prepared)
    say(f"changed      {', '.join(change.in_words for change in mixer.changes.values())}")
    store = _store(given, prepared, mixer)
    probes: list[Probe] = []

    def show(probe: Probe) -> None:
        probes.append(probe)
        say(_line(probe))

    def keep(cell: Cell, trial: Trial) -> None:
        store.add_cell(cell)
        store.add_trial(trial)

    try:
        with (
            said_when_cut_short(store, probes, as_json=given["as_json"], no_redact=given["no_redact"]),
            _session(given, prepared) as session,
        ):
            accusation = Blaming(
                mixer=mixer,
                probe=lambda cell, number: session.trial(cell, number, store.evidence_folder(cell.id, number)),
                keep=keep,
                releases_of=lambda name: releases(name, python=mixer.good.python),
                confidence=given["confidence"],
                most_trials=given["max_trials"],
                jobs=given["jobs"] or default_jobs(),
                build_ahead=session.environment_of,
                cancel=session.cancel,
                on_step=lambda text: say(f"{'':<12} {text}"),
                on_probe=show,
            ).run(store.finished_trials())
        return _show(accusation, given, store)
    finally:
        store.close()


def _check_ends(given: dict[str, Any]) -> None:
    for side in ("good", "bad"):
        if (given[side] is None) == (given[f"{side}_as_of"] is None):
            raise UsageError(f"say what the {side} packages are: --{side} PATH ({_SIDE}) or --{side}-as-of DAY")
    first, last = given["good_as_of"], given["bad_as_of"]
    if first and last and first == last:
        raise UsageError(f"--good-as-of and --bad-as-of are the same day, {first:%Y-%m-%d}; give two")
    if given["python"]:
        raise UsageError("blame makes environments of its own; give an existing one as --good PYTHON or --bad PYTHON")


def _prepared(given: dict[str, Any]) -> Prepared:
    from repro.orchestration.preparation import RunRequest, prepare

    prepared = prepare(
        RunRequest(
            experiment=given["experiment"] or SINGLE,
            overrides=given["overrides"],
            locustfile=given["locustfile"],
            backends=(given["backend"],) if given["backend"] else (),
        )
    )
    if prepared.plan.varied:
        raise UsageError(
            f"blame varies packages alone, and the experiment varies {', '.join(prepared.plan.varied)} too; fix each by --set NAME=LEVEL"
        )
    return prepared


def _mixer(given: dict[str, Any], prepared: Prepared) -> Mixer:
    from repro.orchestration.mixture import Mixer

    (cell,) = prepared.plan.cells
    ends = [_end(side, given, prepared) for side in ("good", "bad")]
    good, bad = ends
    pins = cell.environment.pins
    newest = max((day.date() for day in (given["good_as_of"], given["bad_as_of"]) if day), default=None)
    mixer = Mixer(
        cell=cell,
        good=good,
        bad=bad,
        fixed={name: pin for name, pin in pins.items() if good.versions.get(name) == bad.versions.get(name) == pin},
        requires=tuple(
            one
            for name, one in _names(prepared.scenario.info.requires).items()
            if name not in good.versions or name not in bad.versions
        ),
        newest=newest if given["bad_as_of"] and given["good_as_of"] else None,
    )
    if not mixer.changes:
        raise UsageError(
            f"{good.name} and {bad.name} are made of the same {len(good.versions)} packages; what differs is something else"
        )
    return mixer


def _end(side: str, given: dict[str, Any], prepared: Prepared) -> End:
    from packaging.utils import canonicalize_name

    from repro.orchestration.mixture import End
    from repro.world.environments import cache, interpreters
    from repro.world.environments.lists import minor, read_pins

    asked = prepared.plan.cells[0].environment
    python = minor(interpreters.find(asked.python).version)
    day: datetime | None = given[f"{side}_as_of"]
    if day is not None:
        name = f"{day:%Y-%m-%d}"
        spec = replace(asked, requires=prepared.scenario.info.requires, as_of=day.date())
        try:
            versions = dict(cache.resolve(spec))
        except UnreachableError:
            raise
        except UntestableError as error:
            raise UsageError(
                f"--{side}-as-of {name}: it cannot be resolved; pin by --set what is named. {error}"
            ) from error
        return End(name=name, versions=versions, python=python)
    pins = read_pins(given[side], python=asked.python, hints=asked.pins)
    set_by_hand = {
        str(canonicalize_name(one.partition("=")[0].removeprefix("packages."))) for one in given["overrides"]
    }
    versions = {**pins.versions, **{name: pin for name, pin in asked.pins.items() if name in set_by_hand}}
    if missing := sorted(ESSENTIAL & _names(prepared.scenario.info.requires).keys() - versions.keys()):
        raise UsageError(f"--{side} {given[side]} lacks {missing[0]}, which the test needs; add it there")
    if pins.left_out:
        click.echo(f"--{side}: left out, being no releases of an index: {', '.join(pins.left_out)}", err=True)
    return End(name=str(given[side]), versions=versions, python=pins.python or python)


def _names(requires: Sequence[str]) -> dict[str, str]:
    """Requirements by the name of what they require."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return {str(canonicalize_name(Requirement(one).name)): one for one in requires}


def _store(given: dict[str, Any], prepared: Prepared, mixer: Mixer) -> RunStore:
    from repro.cli.run import machine, tool_versions
    from repro.world.runs.store import create_run, open_run

    ends = {end: {"name": side.name, "python": side.python, "versions": dict(side.versions)} for end, side in (("good", mixer.good), ("bad", mixer.bad))}  # fmt: skip
    if given["resume"]:
        store = open_run(resumed_folder(given))
        stored = store.read()
        with closed_on_error(store):
            check_is_same(stored, (stored.hunt or {}).get("ends"), ends)
            check_load(store, prepared)
            drop_probes(store, given)
        return store
    store = create_run(
        new_folder(given["out"], "blame"),
        plan=replace(prepared.plan, cells=()),
        command=command_line(),
        seed=given["seed"],
        machine=machine(),
        tool_versions=tool_versions(),
    )
    store.set_hunt({"ends": ends})
    with closed_on_error(store):
        keep_load(store, prepared)
    return store


def _session(given: dict[str, Any], prepared: Prepared) -> Session:
    from repro.orchestration.session import Session, SessionOptions

    def shown(cell: Cell) -> str:
        pins = [f"{name}={version}" for name, version in cell.environment.pins.items()]
        own = [one for one in given["overrides"] if one.partition("=")[0] not in cell.environment.pins]
        python = [f"python={cell.environment.python}"] if cell.environment.python else []
        return reproduce([*own, *python, *pins], experiment=given["experiment"] or SINGLE)

    return Session(
        prepared.plan,
        SessionOptions(
            TrialOptions(locustfile=prepared.scenario.locustfile, seed=given["seed"]),
            backend=backend_options(endpoint_url=given["endpoint_url"], region=None, profile=None),
            reproduce=shown,
        ),
    )


def _line(probe: Probe) -> str:
    from repro.core.scrubbing.terminal import for_terminal

    trial = probe.trial
    verdict = trial.verdict.value + (f" ({trial.hang.hang_class})" if trial.hang else "")
    apart = "" if probe.hang is not None else f"  does not count: {for_terminal(trial.reason)[:120]}"
    return f"{verdict:<20} {trial.seconds:5.1f} s  {for_terminal(probe.candidate.cell.label)}{apart}"


def _show(accusation: Accusation, given: dict[str, Any], store: RunStore) -> ExitCode:
    from repro.core.scrubbing.terminal import for_terminal
    from repro.core.search.bisection import AnswerKind
    from repro.orchestration.blame import answer_document, block_of, sentence_of

    sentence = sentence_of(accusation)
    block = block_of(accusation, sentence=sentence, command=store.read().command)
    store.finish()
    click.echo(for_terminal(block), err=given["as_json"])
    if given["show_log"]:
        show_log(accusation.probes, to_stderr=given["as_json"])
    answer = answer_document(accusation, sentence=sentence)
    show_document(store, accusation.probes, answer, as_json=given["as_json"], no_redact=given["no_redact"], block=block)
    click.echo(for_terminal(f"Evidence is in {store.folder}. Next: `{report_line(store.folder)}`"), err=True)
    if accusation.kind is AnswerKind.UNKNOWN:
        return ExitCode.INCONCLUSIVE
    return ExitCode.HANG if any(probe.hang for probe in accusation.probes) else ExitCode.NO_HANG
