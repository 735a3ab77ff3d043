"""Every sentence that a hunt can end with, made from its record."""

from __future__ import annotations

from datetime import date

import pytest

from repro.answer import (
    AnswerKind,
    BisectionAnswer,
    BisectionRecord,
    BlameAnswer,
    BlameKind,
    BlameRecord,
    End,
    GuiltyPackage,
    ReleaseTrials,
    VersionChange,
)
from repro.core.search.reduction import BlameStep, StepKind
from repro.presentation.hunt.answers import belief_text, sentence_of, step_text

OLD = ReleaseTrials(name="1.0", released=date(2024, 1, 1), trials=3)
MID = ReleaseTrials(name="1.1")
NEW = ReleaseTrials(name="1.2", released=date(2024, 1, 3), hangs=2, trials=2)


def bisection(kind: AnswerKind, *releases: ReleaseTrials, package: str = "p", **answer) -> str:
    releases = releases or (OLD, MID, NEW)
    found = BisectionAnswer(kind=kind, package=package, confidence=0.954, releases=releases, **answer)
    return sentence_of(BisectionRecord(hunted=None, answer=found))


def test_a_release_is_named_with_the_one_before_it_and_what_cannot_be_tested() -> None:
    assert bisection(AnswerKind.FIRST_BAD, release="1.2", previous="1.0", untestable=("1.1",)) == (
        "Hangs since p 1.2 (2024-01-03); 1.0 (2024-01-01) does not. 95.4 % confidence; 1.1 between them cannot be "
        "tested. Use p 1.0 or older."
    )
    assert bisection(AnswerKind.FIRST_FIXED, release="1.2", previous="1.0").startswith(
        "Fixed in p 1.2 (2024-01-03); 1.0 (2024-01-01) still hangs. 95.4 % confidence. Use p 1.2 or newer."
    )


def test_a_day_is_named_once() -> None:
    days = [ReleaseTrials(name=f"2024-01-0{day}", released=date(2024, 1, day), trials=1) for day in (1, 2)]
    assert bisection(AnswerKind.FIRST_BAD, *days, package="as_of", release="2024-01-02", previous="2024-01-01") == (
        "Hangs since the packages as of 2024-01-02; those of 2024-01-01 do not. 95.4 % confidence. Use the packages as of "
        "2024-01-01 or earlier."
    )


@pytest.mark.parametrize(
    ("releases", "always", "said"),
    [
        (
            (OLD, OLD),
            False,
            "95.4 % confidence (1.0 hung 0 of 3, 1.0 hung 0 of 3). Give it more load, or more trials (--confidence).",
        ),
        (
            (NEW, NEW),
            True,
            "it hangs at both ends. 95.4 % confidence (1.2 hung 2 of 2, 1.2 hung 2 of 2). Widen the range.",
        ),
        ((NEW, OLD), False, "The older end hangs and the newer one does not: find the fix with --find fixed."),
        ((OLD, NEW), False, "swap --good and --bad, without --find fixed."),
    ],
)
def test_ends_that_behave_alike_are_said_with_what_was_seen(
    releases: tuple[ReleaseTrials, ...], *, always: bool, said: str
) -> None:
    assert bisection(AnswerKind.NO_CHANGE, *releases, always=always).endswith(said)


def test_what_is_not_settled_says_what_to_do() -> None:
    names = tuple(f"1.{number}" for number in range(8))
    assert bisection(AnswerKind.UNKNOWN, is_exhausted=True, candidates=names).endswith(
        "Still possible: 1.0, 1.1, 1.2, 1.3, 1.4, 1.5 and 2 more. Continue with --resume and a larger --max-trials."
    )
    assert bisection(AnswerKind.UNKNOWN) == (
        "Fewer than two of 3 releases can be tested. Tested: 1.0, 1.2. Widen the range; the reasons stand below."
    )
    assert sentence_of(BisectionRecord(hunted=None, cut_short="interrupted")) == "interrupted"


def blame(outcome: BlameKind, **answer) -> str:
    end = End(name="", versions={}, python="")
    changed = (VersionChange(package="a", good="1", bad="2"), VersionChange(package="b", good=None, bad="5"))
    found = BlameAnswer(outcome=outcome, changed=changed, **answer)
    return sentence_of(BlameRecord(good=end, bad=end, answer=found))


def test_a_blame_names_each_package_what_goes_together_and_the_cure() -> None:
    first = VersionChange(package="a", good="1", bad="2")
    second = VersionChange(package="b", good=None, bad="5")
    guilty = (
        GuiltyPackage(change=first, confidence=0.96, release="1.5", previous="1.4", released=date(2024, 1, 6)),
        GuiltyPackage(change=second, confidence=0.97, has_releases=False),
    )
    assert blame(BlameKind.FOUND, packages=guilty, culprits=(("a", "b"),), cure=("b",), cure_confidence=0.981) == (
        "Hangs since a 1.5 (2024-01-06, 1.4 does not), only together with b none → 5. 96.0 % confidence; "
        "2 packages changed. Go back to no b: the bad end is then clean (98.1 %)."
    )
    unsettled = (GuiltyPackage(change=first, confidence=0.96),)
    assert blame(BlameKind.UNKNOWN, packages=unsettled, culprits=(("a",),), trials=200) == (
        "Hangs since a 1 → 2 (which release is undecided). 96.0 % confidence; 2 packages changed; 200 trials "
        "were made before everything was tested. Allow more with --max-trials."
    )


def test_a_blame_whose_good_end_is_newer_says_up_to_which_release_it_hangs() -> None:
    change = VersionChange(package="gevent", good="26.8.0", bad="24.2.1")
    guilty = GuiltyPackage(change=change, confidence=0.978, release="26.7.0", previous="26.8.0")
    found = BlameAnswer(
        outcome=BlameKind.FOUND, changed=(change,), packages=(guilty,), culprits=(("gevent",),), cure=("gevent",),
        cure_confidence=0.978,
    )  # fmt: skip
    end = End(name="", versions={}, python="")
    assert sentence_of(BlameRecord(good=end, bad=end, answer=found)) == (
        "Hangs up to gevent 26.7.0 (26.8.0 does not). 97.8 % confidence; 1 package changed. "
        "Use gevent 26.8.0: the bad end is then clean (97.8 %)."
    )


def test_a_blame_without_a_guilty_package_says_why() -> None:
    assert "No hang at the bad end. It hung in 0 of 9 trials. " in blame(BlameKind.BAD_IS_CLEAN, trials=9)
    assert "Hangs at the good end too. It hung in 1 of 2 trials. " in blame(BlameKind.GOOD_HANGS, hangs=1, trials=2)
    assert blame(BlameKind.UNKNOWN, untestable_end="bad") == (
        "Undecided: the bad end cannot be tested. See the reason below."
    )
    assert blame(BlameKind.UNKNOWN, trials=12) == ("Undecided: 12 trials were made. Allow more with --max-trials.")


def test_steps_and_beliefs_are_said_while_it_goes_on() -> None:
    steps = {
        BlameStep(StepKind.BAD_END): "the bad end",
        BlameStep(StepKind.GOOD_END): "the good end",
        BlameStep(StepKind.NECESSITY, ("a",)): "a: is it so?",
        BlameStep(StepKind.NECESSITY, ("a", "b")): "a, b: is each of them needed?",
        BlameStep(StepKind.OTHERS, ("a", "b")): "without a, b: is there another?",
        BlameStep(StepKind.CURE): "the smallest cure",
        BlameStep(StepKind.RELEASES, ("a",), ("1.0", "1.1", "1.2")): "a 1.0 to 1.2: 3 releases",
    }
    assert {step: step_text(step) for step in steps} == steps
    assert (belief_text("1.2", 0.5), belief_text(None, 0.25)) == ("likeliest: 1.2, 50 %", "likeliest: no change, 25 %")
