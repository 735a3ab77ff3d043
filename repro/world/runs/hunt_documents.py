"""A hunt's record from its JSON document: of a run that an earlier repro kept so, and of a report redacted as JSON.

Early repros kept less: what is missing is left out, and the words that stand in the document are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from repro.answer import (
    AnswerKind,
    BisectionAnswer,
    BisectionRecord,
    BisectionRequest,
    BlameAnswer,
    BlameKind,
    BlameRecord,
    Direction,
    EarlierWords,
    End,
    GuiltyPackage,
    HuntedRange,
    HuntRecord,
    KeptProbe,
    ReleaseTrials,
    VersionChange,
)

Document = Mapping[str, Any]


def hunt_of(document: Document) -> HuntRecord:
    """The record of the parts that a hunt adds to its run's document."""
    answer: Document = document.get("answer") or {}
    is_blame = "ends" in document or "packages" in answer
    is_answered = "packages" in answer if is_blame else "trials" in answer
    sentence = str(answer.get("sentence", ""))
    words = EarlierWords(sentence=sentence, block=str(document.get("block", ""))) if is_answered else None
    probes = tuple(_probe(probe) for probe in document.get("probes", ()))
    cut_short = "" if is_answered else sentence
    if is_blame:
        ends = {side: _end(document.get("ends", {}).get(side, {})) for side in ("good", "bad")}
        found = _blame_answer(answer) if is_answered else None
        return BlameRecord(**ends, answer=found, probes=probes, cut_short=cut_short, words=words)
    hunted = _range(document["hunted"]) if document.get("hunted") else None
    return BisectionRecord(
        hunted=hunted,
        answer=bisection_answer(answer, hunted) if is_answered else None,
        probes=probes,
        cut_short=cut_short,
        words=words,
    )


def bisection_answer(answer: Document, hunted: HuntedRange | None = None) -> BisectionAnswer:
    """The answer of a bisection; ``hunted`` knows the releases that have no trials, and when each came."""
    tried: Document = answer["trials"]
    released = dict(hunted.released) if hunted else {}
    if answer.get("released"):
        released[answer["release"]] = date.fromisoformat(answer["released"])
    return BisectionAnswer(
        kind=AnswerKind(answer["kind"]),
        package=str(answer.get("package") or "release"),
        confidence=float(answer["confidence"]),
        releases=tuple(
            ReleaseTrials(
                name=name,
                released=released.get(name),
                hangs=tried[name]["hits"] if name in tried else 0,
                trials=tried[name]["n"] if name in tried else 0,
            )
            for name in _names(tried, answer.get("range"), hunted)
        ),
        release=answer.get("release"),
        previous=answer.get("previous"),
        untestable=tuple(answer.get("untestable", ())),
        candidates=tuple(answer.get("candidates", ())),
        changed=_changes(answer),
    )


def _names(tried: Document, ends: Sequence[str] | None, hunted: HuntedRange | None) -> Sequence[str]:
    levels = hunted.levels if hunted else ()
    if ends and {*ends, *tried} <= set(levels):
        return levels[levels.index(ends[0]) : levels.index(ends[1]) + 1]
    return list(tried)


def _range(hunted: Document) -> HuntedRange:
    asked = hunted["asked"]
    window = hunted["window"]
    return HuntedRange(
        asked=BisectionRequest(**{**asked, "find": Direction(asked["find"])}),
        factor=hunted["factor"],
        released={name: date.fromisoformat(day) if day else None for name, day in hunted["released"].items()},
        window=(window[0], window[1]) if window else None,
    )


def _end(end: Document) -> End:
    return End(name=end.get("name", ""), versions=end.get("versions", {}), python=end.get("python", ""))


def _blame_answer(answer: Document) -> BlameAnswer:
    kind, packages = AnswerKind(answer["kind"]), tuple(_guilty(one) for one in answer["packages"])
    outcome = BlameKind.FOUND if answer.get("cure") or kind is AnswerKind.FIRST_BAD else BlameKind.UNKNOWN
    return BlameAnswer(
        outcome=BlameKind.BAD_IS_CLEAN if kind is AnswerKind.NO_CHANGE else outcome,
        changed=_changes(answer),
        packages=packages,
        cure=tuple(one["package"] for one in answer.get("cure", ())),
        cure_confidence=float(answer.get("cure_confidence", 0.0)),
    )


def _guilty(one: Document) -> GuiltyPackage:
    change = VersionChange(package=one["package"], good=one.get("good"), bad=one.get("bad"))
    return GuiltyPackage(
        change=change,
        confidence=float(one["confidence"]),
        release=one["release"],
        previous=one["previous"],
        released=date.fromisoformat(one["released"]) if one.get("released") else None,
        together_with=tuple(one["together_with"]),
        is_tied=bool(one.get("is_tied")),
    )


def _changes(answer: Document) -> tuple[VersionChange, ...]:
    """From ``1.0 → 1.1``: an earlier repro kept the two versions in one text alone."""
    found = []
    for package, versions in answer.get("changed", {}).items():
        before, _, after = versions.partition(" → ")
        sides = [None if side == "none" else side for side in (before, after)]
        found.append(VersionChange(package=package, good=sides[0], bad=sides[1]))
    return tuple(found)


def _probe(probe: Document) -> KeptProbe:
    return KeptProbe(
        release=probe["release"],
        cell_id=probe.get("cell", ""),
        number=probe.get("trial", 0),
        hang=probe.get("verdict") == "hang" if probe.get("counts") else None,
    )
