"""What a hunt found, for people and for programs: the sentence, the block to paste, the parts of the JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repro.core.intervals import in_words, interval
from repro.core.search.bisection import Answer, AnswerKind
from repro.model import Trial, Verdict
from repro.orchestration.hunt import Found
from repro.orchestration.probes import Candidate, Probe

SHOWN = ("locust", "gevent", "urllib3", "boto3", "botocore", "greenlet", "requests")
MOST_NAMES = 6
MOST_REASONS = 4
MOST_WORDS = 200


def answer_document(found: Found, *, package: str, sentence: str) -> dict[str, object]:
    """The ``answer`` of the JSON document."""
    answer = found.answer
    release, previous = found.named(answer.index), found.named(answer.previous)
    return {
        "kind": answer.kind.value,
        "package": package,
        "release": release.name if release else None,
        "previous": previous.name if previous else None,
        "released": release.released.isoformat() if release and release.released else None,
        "confidence": round(answer.confidence, 4),
        "sentence": sentence,
        "range": [found.candidates[0].name, found.candidates[-1].name],
        "untestable": [found.candidates[index].name for index in answer.untestable],
        "candidates": [found.candidates[index].name for index in answer.candidates],
        "trials": _rates(found),
        "changed": dict(changed(found)),
    }


def _rates(found: Found) -> dict[str, object]:
    """The share of hangs of each candidate with trials that count, by its name."""
    seen = [(candidate.name, *found.seen(candidate)) for candidate in found.candidates]
    rates = {name: interval(hits, n) for name, hits, n in seen if n}
    return {
        name: {"hits": rate.hits, "n": rate.n, "low": round(rate.low, 4), "high": round(rate.high, 4)}
        for name, rate in rates.items()
    }


def documents_of(probes: Sequence[Probe]) -> list[dict[str, object]]:
    """The ``probes`` of the JSON document, in the order in which they were made."""
    return [
        {
            "release": probe.candidate.name,
            "cell": probe.candidate.cell.id,
            "trial": probe.trial.number,
            "verdict": probe.trial.verdict.value,
            "hang_class": probe.trial.hang.hang_class.value if probe.trial.hang else None,
            "counts": probe.hang is not None,
            "seconds": round(probe.trial.seconds, 3),
            "command": probe.trial.command,
        }
        for probe in probes
    ]


def sentence_of(found: Found, *, package: str) -> str:
    """The answer in one sentence."""
    answer = found.answer
    release, previous = found.named(answer.index), found.named(answer.previous)
    if release is not None and previous is not None:
        verb = "first hangs" if answer.kind is AnswerKind.FIRST_BAD else "first hangs no longer"
        between = (
            f"; {', '.join(found.candidates[index].name for index in answer.untestable)} between them cannot be tested"
            if answer.untestable
            else ""
        )
        return (
            f"it {verb} with {package} {release.name}{_day(release)}, not {_not_yet(answer)} with {previous.name}"
            f"{_day(previous)}, at {answer.confidence:.1%} confidence{between}"
        )
    if answer.kind is AnswerKind.NO_CHANGE:
        return _no_change(found, package)
    left = [found.candidates[index].name for index in answer.candidates]
    if not found.is_exhausted:
        tested = {probe.candidate.name for probe in found.probes if probe.hang is not None}
        return f"not settled: of {len(found.candidates)} releases fewer than two can be tested ({', '.join(sorted(tested)) or 'none'}); see below why, and widen the range"  # fmt: skip
    return (
        f"not settled after {len(found.probes)} trials (--resume with a larger --max-trials goes on); "
        f"the trials leave {_some(left) or 'none'}"
    )


def block_of(found: Found, *, package: str, sentence: str, command: str) -> str:
    """The text to paste: the answer, the range, trials on each side with intervals, what changed, versions, command."""
    first, last = found.candidates[0], found.candidates[-1]
    lines = [
        sentence,
        f"range:   {package} {first.name}{_day(first)} to {last.name}{_day(last)}, {len(found.candidates)} candidates",
        f"probes:  {_made(found)}",
        *_sides(found),
    ]
    for candidate in found.candidates:
        hits, n = found.seen(candidate)
        if n:
            mark = " <-" if candidate is found.named(found.answer.index) else ""
            lines.append(f"  {candidate.name:<14} hung {in_words(interval(hits, n))}{mark}")
    lines += _apart(found)
    if changes := changed(found):
        lines.append("changed: " + ", ".join(f"{name} {versions}" for name, versions in changes.items()))
    shown = _trial_of(found, found.named(found.answer.index)) or _trial_of(found, last) or _any_trial(found)
    if shown is not None:
        versions = [f"{name} {shown.versions[name]}" for name in SHOWN if name in shown.versions]
        lines.append("with:    " + ", ".join([*versions, f"Python {shown.python}"]))
    return "\n".join([*lines, f"command: {command}"])


def changed(found: Found) -> Mapping[str, str]:
    """What is installed differently at the answer and at the one before it: package → ``1.0 → 1.1``."""
    sides = [_trial_of(found, found.named(index)) for index in (found.answer.previous, found.answer.index)]
    before, after = (side.versions if side else {} for side in sides)
    if not before or not after:
        return {}
    return {
        name: f"{before.get(name, 'none')} → {after.get(name, 'none')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _no_change(found: Found, package: str) -> str:
    """That the ends behave alike, with what was seen, and whether they look exchanged."""
    answer, ends = found.answer, (found.candidates[0], found.candidates[-1])
    how = "hangs at both ends" if answer.always else "hangs at neither end"
    seen = [found.seen(end) for end in ends]
    counts = ", ".join(
        f"{end.name} hung {hangs} of {trials}" for end, (hangs, trials) in zip(ends, seen, strict=True) if trials
    )
    hint = ""
    if seen[0][0] and not seen[1][0] and seen[1][1]:
        hint = "; but the older end hangs and the newer one does not: look for the cure with --find fixed"
    elif seen[1][0] and not seen[0][0] and seen[0][1]:
        hint = "; but the newer end hangs and the older one does not: exchange --good and --bad, without --find fixed"
    return (
        f"no change from {package} {ends[0].name} to {ends[1].name}: it {how} ({counts}), "
        f"at {answer.confidence:.1%} confidence{hint}"
    )


def _made(found: Found) -> str:
    """How many trials were made, of how many candidates, and how many of these could not even be installed."""
    kinds = {True: list[str](), False: list[str]()}
    for probe in found.probes:
        kinds[probe.trial.verdict is Verdict.UNTESTABLE].append(probe.candidate.name)
    aside = f"; {len(set(kinds[True]))} cannot be installed" if kinds[True] else ""
    return f"{len(kinds[False])} trials of {len(set(kinds[False]))} of them{aside}"


def _sides(found: Found) -> list[str]:
    """The trials on both sides of the answer, each side together."""
    index, previous = found.answer.index, found.answer.previous
    if index is None or previous is None:
        return []
    sides = {"before": found.candidates[: previous + 1], "since": found.candidates[index:]}
    return [f"{name + ':':<8} hung {in_words(interval(*found.seen(*side)))}" for name, side in sides.items()]


def _apart(found: Found) -> list[str]:
    """What counts for neither side, the releases of one reason together."""
    reasons: dict[str, list[str]] = {}
    for probe in found.probes:
        if probe.hang is None:
            reason = f"{_what(probe.trial)}: {probe.trial.reason.replace(probe.candidate.name, '*')[:MOST_WORDS]}"
            reasons.setdefault(reason, []).append(probe.candidate.name)
    lines = [
        f"  {_some(list(dict.fromkeys(names)))}: {reason}" for reason, names in list(reasons.items())[:MOST_REASONS]
    ]
    more = sum(len(names) for names in list(reasons.values())[MOST_REASONS:])
    return [*lines, f"  and {more} more trials that count for neither"] if more else lines


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


def _what(trial: Trial) -> str:
    return f"another hang ({trial.hang.hang_class})" if trial.hang else trial.verdict.value


def _not_yet(answer: Answer) -> str:
    return "yet" if answer.kind is AnswerKind.FIRST_BAD else "so"


def _day(candidate: Candidate) -> str:
    """When it came; nothing where the index does not tell, or where the name is the day."""
    day = candidate.released.isoformat() if candidate.released else ""
    return f" ({day})" if day and day != candidate.name else ""


def _trial_of(found: Found, candidate: Candidate | None) -> Trial | None:
    return next((probe.trial for probe in found.probes if probe.candidate is candidate and probe.trial.versions), None)


def _any_trial(found: Found) -> Trial | None:
    return next((probe.trial for probe in found.probes if probe.trial.versions), None)
