"""The text of a hunt: its answer, the block to paste, and its progress lines.

All of it is made here, from the record that the run keeps (``repro/answer.py``) and from the run's trials; what
programs read of it is made in ``answer_document.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from packaging.version import InvalidVersion, Version

from repro.answer import (
    AnswerKind,
    BisectionAnswer,
    BlameAnswer,
    BlameKind,
    GuiltyPackage,
    HuntRecord,
    KeptProbe,
    ReleaseTrials,
    VersionChange,
)
from repro.core.experiment.factors.catalogue import AS_OF
from repro.core.intervals import interval
from repro.core.scrubbing.terminal import for_terminal
from repro.core.search.reduction import BlameStep, StepKind
from repro.model import CellResult, Trial, Verdict
from repro.orchestration.hunt.probes import Probe
from repro.presentation.hang.explanation import reason_of
from repro.presentation.lines import AnswerLine, fitted, laid_out
from repro.presentation.rates import rate_text

SHOWN = ("locust", "gevent", "urllib3", "boto3", "botocore", "greenlet", "requests")
UNKNOWN = "UNKNOWN"
MOST_NAMES = 6
MOST_REASONS = 4
MOST_WORDS = 200
MOST_WORDS_OF_LINE = 120

# The answer


def hunt_lines(hunt: HuntRecord) -> tuple[AnswerLine, ...]:
    """The answer, how sure it is, and what to do, a line each; empty while the hunt is under way."""
    if hunt.answer is None:
        return (AnswerLine(UNKNOWN, hunt.cut_short),) if hunt.cut_short else ()
    if hunt.words is not None:
        return (AnswerLine("", hunt.words.sentence),)
    if isinstance(hunt.answer, BisectionAnswer):
        return _bisection_answer(hunt.answer, probes=len(hunt.probes))
    return _blame_answer(hunt.answer)


def sentence_of(hunt: HuntRecord) -> str:
    """The lines of the answer in running text, or why there is none; empty while the hunt is under way."""
    if hunt.answer is None:
        return hunt.cut_short
    if hunt.words is not None:
        return hunt.words.sentence
    first, *others = hunt_lines(hunt)
    answer = first.text if first.head == UNKNOWN else f"{first.head.lower()} {first.text}"
    texts = [answer, *(one.text for one in others)]
    return " ".join(f"{text[:1].upper()}{text[1:]}." for text in texts)


def _three(head: str, answer: str, sure: str, step: str) -> tuple[AnswerLine, ...]:
    """The answer's three lines; the third is left out where there is nothing to do."""
    lines = (AnswerLine(head, answer), AnswerLine("Sure:", sure), AnswerLine("Do:", step))
    return tuple(line for line in lines if line.text)


def _bisection_answer(answer: BisectionAnswer, *, probes: int) -> tuple[AnswerLine, ...]:
    release, previous = answer.of(answer.release), answer.of(answer.previous)
    if release is not None and previous is not None:
        return _change(answer, release, previous)
    if answer.kind is AnswerKind.NO_CHANGE:
        return _no_change(answer)
    if not answer.is_exhausted:
        tested = ", ".join(sorted(one.name for one in answer.releases if one.trials)) or "none"
        text = f"fewer than two of {len(answer.releases)} releases can be tested"
        return _three(UNKNOWN, text, f"tested: {tested}", "widen the range; the reasons stand below")
    left = f"still possible: {_some(answer.candidates) or 'none'}"
    step = "continue with --resume and a larger --max-trials"
    return _three(UNKNOWN, f"undecided after {probes} trials", left, step)


def _change(answer: BisectionAnswer, release: ReleaseTrials, previous: ReleaseTrials) -> tuple[AnswerLine, ...]:
    """Since which release, or in which it is fixed, and which release to use."""
    is_first_bad = answer.kind is AnswerKind.FIRST_BAD
    head, since, before = ("HANGS", "since", "does not") if is_first_bad else ("FIXED", "in", "still hangs")
    days = answer.package == AS_OF
    text = f"{since} {_package(answer)} {release.name}{_day(release)}; {previous.name}{_day(previous)} {before}"
    if days:
        before = "do not" if is_first_bad else "still hang"
        text = f"{since} {_package(answer)} {release.name}; those of {previous.name} {before}"
    aside = f"; {', '.join(answer.untestable)} between them cannot be tested" if answer.untestable else ""
    older, newer = ("earlier", "later") if days else ("older", "newer")
    good, bound = (previous.name, older) if is_first_bad else (release.name, newer)
    step = f"use {_package(answer)} {good} or {bound}"
    return _three(head, text, f"{_percent(answer.confidence)} confidence{aside}", step)


def _no_change(answer: BisectionAnswer) -> tuple[AnswerLine, ...]:
    """That the ends behave alike, with what was seen, and whether they look exchanged."""
    older, newer = answer.releases[0], answer.releases[-1]
    how = "hangs at both ends" if answer.always else "hangs at neither end"
    counts = ", ".join(f"{end.name} hung {end.hangs} of {end.trials}" for end in (older, newer) if end.trials)
    step = "widen the range" if answer.always else "give it more load, or more trials (--confidence)"
    if older.hangs and newer.trials and not newer.hangs:
        step = "the older end hangs and the newer one does not: find the fix with --find fixed"
    elif newer.hangs and older.trials and not older.hangs:
        step = "the newer end hangs and the older one does not: swap --good and --bad, without --find fixed"
    text = f"from {_package(answer)} {older.name} to {newer.name}: it {how}"
    return _three("NO CHANGE", text, f"{_percent(answer.confidence)} confidence ({counts})", step)


def _blame_answer(answer: BlameAnswer) -> tuple[AnswerLine, ...]:
    seen = f"it hung in {answer.hangs} of {answer.trials} trials"
    if answer.outcome is BlameKind.BAD_IS_CLEAN:
        return _three("NO HANG", "at the bad end", seen, "give it more load, or more trials (--confidence)")
    if answer.outcome is BlameKind.GOOD_HANGS:
        step = "choose an older good end, or swap the two if they were mixed up"
        return _three("HANGS", "at the good end too", seen, step)
    if not answer.packages:
        step = "see the reason below" if answer.untestable_end else "allow more with --max-trials"
        return _three(UNKNOWN, f"undecided: {_stopped(answer)}", "", step)
    return _guilty(answer)


def _guilty(answer: BlameAnswer) -> tuple[AnswerLine, ...]:
    """Since which packages, of how many that changed, and what cures the bad end."""
    by_name = {one.change.package: one for one in answer.packages}
    parts = [", only together with ".join(_since(by_name[name]) for name in names) for names in answer.culprits]
    ways = [_way(by_name[names[0]]) for names in answer.culprits]
    text = "; and also ".join(f"{way} {part}" for way, part in zip(ways, parts, strict=True))
    count = len(answer.changed)
    sure = f"{_percent(answer.confidence)} confidence; {count} package{'' if count == 1 else 's'} changed"
    if answer.outcome is not BlameKind.FOUND:
        return _three(
            "HANGS", text, f"{sure}; {_stopped(answer)} before everything was tested", "allow more with --max-trials"
        )
    good = {change.package: change.good for change in answer.changed}
    cure = ", ".join(f"{name} {good[name]}" if good[name] else f"no {name}" for name in answer.cure)
    is_newer = any(_is_newer(one.good, one.bad) for one in answer.changed if one.package in answer.cure)
    step = f"{'use' if is_newer else 'go back to'} {cure}"
    return _three("HANGS", text, sure, f"{step}: the bad end is then clean ({_percent(answer.cure_confidence)})")


def _stopped(answer: BlameAnswer) -> str:
    """Why it came to no end."""
    if answer.untestable_end:
        return f"the {answer.untestable_end} end cannot be tested"
    return f"{answer.trials} trials were made"


def _is_newer(one: str | None, other: str | None) -> bool:
    """Whether a release is newer than another one; false where one is missing, or is no version."""
    try:
        return one is not None and other is not None and Version(one) > Version(other)
    except InvalidVersion:
        return False


def _way(one: GuiltyPackage) -> str:
    """``since``, or ``up to`` where the good end is the newer one."""
    return "up to" if _is_newer(one.previous, one.release) else "since"


def _since(one: GuiltyPackage) -> str:
    if one.release is not None and one.previous is not None:
        day = f"{one.released.isoformat()}, " if one.released else ""
        return f"{one.change.package} {one.release} ({day}{one.previous} does not)"
    return change_text(one.change) if one.is_named else f"{change_text(one.change)} (which release is undecided)"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


# The text to paste


def block_of(hunt: HuntRecord, cells: Sequence[CellResult], *, command: str, width: int | None = None) -> str:
    """The text to paste: answer, what was tried, versions, command; wrapped at ``width`` but for commands."""
    if hunt.answer is None:
        return ""
    if hunt.words is not None:
        return hunt.words.block
    probed = probed_trials(hunt.probes, cells)
    if isinstance(hunt.answer, BisectionAnswer):
        lines = _bisection_lines(hunt.answer, probed)
    else:
        lines = _blame_lines(hunt.answer, probed, labels={result.cell.id: result.cell.label for result in cells})
    hung = _last_hang(probed) if isinstance(hunt.answer, BlameAnswer) else None
    commands = [*([f"hang:    {hung.command}"] if hung else []), f"command: {command}"]
    answer = [laid_out(line, width=width) for line in hunt_lines(hunt)]
    return "\n".join([*answer, *(fitted(line, width=width) for line in lines), *commands])


Probed = Sequence[tuple[KeptProbe, Trial]]


def probed_trials(probes: Sequence[KeptProbe], cells: Sequence[CellResult]) -> Probed:
    """The probes with their trials; one whose trial was forgotten since is left out."""
    trials = {(trial.cell_id, trial.number): trial for result in cells for trial in result.trials}
    keys = [(probe, (probe.cell_id, probe.number)) for probe in probes]
    return [(probe, trials[key]) for probe, key in keys if key in trials]


def _bisection_lines(answer: BisectionAnswer, probed: Probed) -> Iterator[str]:
    """The range, the trials of both sides and of each release, what does not count, what changed, the versions."""
    first, last = answer.releases[0], answer.releases[-1]
    count = len(answer.releases)
    yield f"range:   {_package(answer)} {first.name}{_day(first)} to {last.name}{_day(last)}, {count} candidates"
    yield f"probes:  {_made(probed)}"
    yield from _sides(answer)
    for release in answer.releases:
        if release.trials:
            mark = " <-" if release.name == answer.release else ""
            yield f"  {release.name:<14} {rate_text(interval(release.hangs, release.trials))}{mark}"
    yield from _apart(probed)
    if answer.changed:
        yield "changed: " + ", ".join(change_text(change) for change in answer.changed)
    if (shown := _shown_trial(answer, probed)) is not None:
        yield _with_versions(shown)


def _made(probed: Probed) -> str:
    """How many trials were made, of how many candidates, and how many of these could not even be installed."""
    installed = [probe.release for probe, trial in probed if trial.verdict is not Verdict.UNTESTABLE]
    others = {probe.release for probe, trial in probed if trial.verdict is Verdict.UNTESTABLE}
    aside = f"; {len(others)} cannot be installed" if others else ""
    return f"{len(installed)} trials of {len(set(installed))} candidates{aside}"


def _sides(answer: BisectionAnswer) -> Iterator[str]:
    """The trials on both sides of the answer, each side together."""
    names = [release.name for release in answer.releases]
    if answer.release is None or answer.previous is None:
        return
    before = answer.releases[: names.index(answer.previous) + 1]
    since = answer.releases[names.index(answer.release) :]
    for name, side in (("before:", before), ("since:", since)):
        hangs, trials = sum(one.hangs for one in side), sum(one.trials for one in side)
        yield f"{name:<8} {rate_text(interval(hangs, trials))}"


def _apart(probed: Probed) -> Iterator[str]:
    """What counts for neither side, the releases of one reason together."""
    reasons: dict[str, list[str]] = {}
    for probe, trial in probed:
        if probe.hang is None:
            reason = f"{_what(trial)}: {reason_of(trial).replace(probe.release, '*')[:MOST_WORDS]}"
            reasons.setdefault(reason, []).append(probe.release)
    for reason, names in list(reasons.items())[:MOST_REASONS]:
        yield f"  {_some(list(dict.fromkeys(names)))}: {reason}"
    if more := sum(len(names) for names in list(reasons.values())[MOST_REASONS:]):
        yield f"  and {more} more trials that do not count"


def _shown_trial(answer: BisectionAnswer, probed: Probed) -> Trial | None:
    """The trial whose versions are shown: one of the answer, else of the newest release, else any that has some."""
    installed = [(probe.release, trial) for probe, trial in probed if trial.versions]
    for wanted in (answer.release, answer.releases[-1].name):
        for name, trial in installed:
            if name == wanted:
                return trial
    return installed[0][1] if installed else None


def _blame_lines(answer: BlameAnswer, probed: Probed, *, labels: Mapping[str, str]) -> Iterator[str]:
    """What changed, the trials of every set and release, and the versions of a trial that hung."""
    shown: dict[str, list[tuple[KeptProbe, Trial]]] = {}
    for probe, trial in probed:
        shown.setdefault(probe.cell_id, []).append((probe, trial))
    yield f"changed: {', '.join(change_text(change) for change in answer.changed)}"
    yield (
        f"probes:  {len(probed)} trials of {len(shown)} environments; {answer.unresolvable} more cannot be installed"
    )
    for cell_id, own in shown.items():
        yield f"  {_set_text(own):<14} {labels[cell_id]}"
    if (hung := _last_hang(probed)) is not None:
        yield _with_versions(hung)


def _last_hang(probed: Probed) -> Trial | None:
    """The last trial that hung as was hunted."""
    return next((trial for probe, trial in reversed(probed) if probe.hang), None)


def _set_text(own: Probed) -> str:
    """What the trials of one environment came to."""
    counted = [probe.hang for probe, _ in own if probe.hang is not None]
    if counted:
        return f"hung {sum(counted)} of {len(counted)}"
    _, trial = own[0]
    return f"{trial.verdict}: {reason_of(trial)[:MOST_WORDS_OF_LINE]}"


# While it runs


def probe_line(probe: Probe, name: str) -> str:
    """The line for a probe: its result and what was tried."""
    trial = probe.trial
    verdict = trial.verdict.value + (f" ({trial.hang.hang_class})" if trial.hang else "")
    apart = "" if probe.hang is not None else f"  does not count: {for_terminal(reason_of(trial))[:MOST_WORDS_OF_LINE]}"
    return f"{verdict:<20} {trial.seconds:5.1f} s  {for_terminal(name)}{apart}"


def belief_text(release: str | None, probability: float) -> str:
    """The likeliest answer so far; None is that nothing changed."""
    return f"likeliest: {release or 'no change'}, {probability * 100:.0f} %"


def step_text(step: BlameStep) -> str:
    """What a blame looks at next."""
    names = ", ".join(step.packages)
    match step.kind:
        case StepKind.BAD_END:
            return "the bad end"
        case StepKind.GOOD_END:
            return "the good end"
        case StepKind.NECESSITY:
            return f"{names}: is each of them needed?" if len(step.packages) > 1 else f"{names}: is it so?"
        case StepKind.OTHERS:
            return f"without {names}: is there another?"
        case StepKind.CURE:
            return "the smallest cure"
        case StepKind.RELEASES:
            return f"{names} {step.releases[0]} to {step.releases[-1]}: {len(step.releases)} releases"


def change_text(change: VersionChange) -> str:
    """``urllib3 1.26.14 → 2.2.1``."""
    return f"{change.package} {versions_text(change)}"


# Words


def versions_text(change: VersionChange) -> str:
    """``1.26.14 → 2.2.1``."""
    return f"{change.good or 'none'} → {change.bad or 'none'}"


def _package(answer: BisectionAnswer) -> str:
    return "the packages as of" if answer.package == AS_OF else answer.package


def _with_versions(trial: Trial) -> str:
    versions = [f"{name} {trial.versions[name]}" for name in SHOWN if name in trial.versions]
    return "with:    " + ", ".join([*versions, f"Python {trial.python}"])


def _what(trial: Trial) -> str:
    return f"another hang ({trial.hang.hang_class})" if trial.hang else trial.verdict.value


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


def _day(release: ReleaseTrials) -> str:
    """When it came; nothing where the index does not tell, or where the name is the day."""
    day = release.released.isoformat() if release.released else ""
    return f" ({day})" if day and day != release.name else ""
