"""The conclusion in words: when cells hang, what makes no difference, what is not settled, what clean means."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from repro.core.matrix.conclusion import conclude
from repro.model import CellResult, CellVerdict, Level, StoredRun
from repro.presentation.matrix.conclusion import conclusion_sentences
from repro.presentation.reports.document import document
from repro.presentation.reports.report import report_of

CLEAN, HANG, CRASH = CellVerdict.CLEAN, CellVerdict.HANG, CellVerdict.CRASH
Rule = Callable[[Mapping[str, Level]], CellVerdict | None]


CROSSED = {
    "locust": ["2.14.2", "2.24.0"],
    "gevent": ["22.10.2", "24.2.1", "25.9.1"],
    "urllib3": ["1.26.15", "1.26.16", "2.2.1"],
}


@pytest.fixture
def text(judged_cells: Callable[..., list[CellResult]]) -> Callable[..., str]:
    """``text(factors, rule, trials=3)`` is the conclusion from all the cells for which the rule has a verdict."""

    def make(factors: Mapping[str, Sequence[Level]], rule: Rule, **kwargs: int) -> str:
        return "; ".join(conclusion_sentences(conclude(judged_cells(factors, rule, **kwargs), list(factors))))

    return make


def test_the_crossed_experiment_names_gevent_and_urllib3_and_acquits_locust(text: Callable[..., str]) -> None:
    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        return HANG if levels["gevent"] != "25.9.1" and levels["urllib3"] != "1.26.15" else CLEAN

    assert text(CROSSED, rule) == (
        "hangs when gevent<=24.2.1 (25.9.1 clean) and urllib3>=1.26.16 (1.26.15 clean); locust makes no difference; "
        "a clean cell had at least 3 trials and 0 operations: a hang in fewer than 63 % of trials could have been missed "
        "(95 %)"
    )


def test_no_difference_is_claimed_only_where_it_was_seen(text: Callable[..., str]) -> None:
    factors = {
        "client": ["shared", "per-iteration"],
        "import_order": ["locust-first", "boto3-first"],
        "launch": ["cli", "library"],
    }

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        if levels["launch"] == "library" and levels["import_order"] == "boto3-first":
            return CRASH
        return HANG if levels["client"] == "per-iteration" else CLEAN

    said = text(factors, rule)
    assert said.startswith("hangs when client=per-iteration; import_order makes no difference under launch=cli; ")
    assert "launch makes no difference under import_order=locust-first" in said
    assert "crashes when import_order=boto3-first and launch=library" in said


def test_all_levels_under_which_it_makes_no_difference_are_named(text: Callable[..., str]) -> None:
    factors = {"client": ["shared", "per-iteration"], "order": ["a", "b"], "launch": ["cli", "library", "distributed"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        if levels["launch"] == "library" and levels["order"] == "b":
            return CRASH
        return HANG if levels["client"] == "per-iteration" else CLEAN

    assert "order makes no difference under launch in cli, distributed; " in text(factors, rule)


def test_factors_in_lockstep_are_one(text: Callable[..., str]) -> None:
    factors = {"connect_timeout": [60, 5], "read_timeout": [60, 10], "client": ["shared", "per-iteration"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict | None:
        if (levels["connect_timeout"] == 60) != (levels["read_timeout"] == 60):
            return None
        return HANG if levels["client"] == "per-iteration" else CLEAN

    assert "connect_timeout and read_timeout make no difference" in text(factors, rule)


def test_two_equally_small_explanations_are_not_settled(text: Callable[..., str]) -> None:
    factors = {"gevent": ["24.2.1", "25.9.1"], "urllib3": ["1.26.15", "2.2.1"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict | None:
        both = (levels["gevent"], levels["urllib3"])
        return {
            ("24.2.1", "2.2.1"): HANG,
            ("25.9.1", "1.26.15"): CLEAN,
            ("24.2.1", "1.26.15"): None,
            ("25.9.1", "2.2.1"): None,
        }[both]

    said = text({**factors, "client": ["a", "b"]}, rule)
    assert "hangs when gevent and urllib3" not in said  # in lockstep here: one factor, spelt out
    assert "gevent=24.2.1 and urllib3=2.2.1" in said


def test_unsettled_is_said(text: Callable[..., str]) -> None:
    factors = {"a": ["x", "y"], "b": ["x", "y"]}
    verdicts = {("x", "x"): CLEAN, ("y", "y"): HANG, ("x", "y"): CRASH, ("y", "x"): CRASH}
    said = text(factors, lambda levels: verdicts[levels["a"], levels["b"]])
    assert "or when" in said
    assert "do not show which: run every combination of a and b" in said


def test_a_disjunction_is_found_when_no_single_condition_separates(text: Callable[..., str]) -> None:
    factors = {"a": ["1", "2", "3"], "b": ["p", "q"], "c": ["p", "q"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        return (
            HANG
            if (levels["a"] == "1" and levels["b"] == "p") or (levels["a"] == "3" and levels["c"] == "q")
            else CLEAN
        )

    assert ", or when " in text(factors, rule)


def test_nothing_hung_says_what_could_have_been_missed(text: Callable[..., str]) -> None:
    assert text(CROSSED, lambda _: CLEAN, trials=5).startswith("no hang in 18 of 18 cells")
    assert "fewer than 45 % of trials" in text(CROSSED, lambda _: CLEAN, trials=5)


def test_all_hung_explains_nothing(text: Callable[..., str]) -> None:
    assert "do not show what it depends on" in text(CROSSED, lambda _: HANG)


def test_the_json_document_has_the_hangs_condition_alone_and_all_parts_beside_it(
    stored: Callable[..., StoredRun],
    schema: Callable[..., Mapping[str, Any]],
    judged_cells: Callable[..., list[CellResult]],
) -> None:
    factors = {"client": ["shared", "per-iteration"], "order": ["a", "b"], "launch": ["cli", "library"]}

    def rule(levels: Mapping[str, Level]) -> CellVerdict:
        if levels["launch"] == "library" and levels["order"] == "b":
            return CRASH
        return HANG if levels["client"] == "per-iteration" else CLEAN

    found = replace(conclude(judged_cells(factors, rule, ended=50), list(factors)), causes={"gevent-1957": 2})
    whole = document(report_of(replace(stored(text="t"), conclusion=found)))
    jsonschema.validate(json.loads(json.dumps(whole)), schema())
    assert whole["hangs_when"] == "hangs when client=per-iteration"
    parts = whole["conclusion"]
    assert parts["hangs_when"] == "hangs when client=per-iteration"
    assert parts["crashes_when"] == "crashes when order=b and launch=library"
    assert parts["fails_when"] is None
    assert parts["explanations"] == [
        [[{"kind": "equal", "levels": [{"client": "per-iteration"}], "clean_neighbour": None}]]
    ]
    assert parts["cells"] == {"tried": 8, "clean": 3, "hang": 3, "crash": 2}
    assert [one["text"] for one in parts["no_effect"]] == [
        "order makes no difference under launch=cli",
        "launch makes no difference under order=a",
    ]
    assert parts["no_effect"][0]["factors"] == ["order"]
    assert parts["clean_means"] == {
        "trials": 3,
        "operations": 50,
        "could_have_missed": 0.6316,
        "per_million_operations": pytest.approx(59_915, abs=1),
    }
    assert parts["causes"] == [{"id": "gevent-1957", "trials": 2}]
    assert parts["sentences"][0] == whole["hangs_when"]
