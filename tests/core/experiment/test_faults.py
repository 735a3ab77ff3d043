"""The grammar of faults: what is written is what is read, and what cannot be read is said with the near name."""

from pathlib import Path

import pytest

from repro.core.experiment.factors.faults import KINDS, Fault, parse_fault, text_of


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_has_one_line_of_help_and_reads_back(name: str) -> None:
    assert KINDS[name].help
    assert "\n" not in KINDS[name].help
    faults = parse_fault(name)
    assert parse_fault(text_of(faults)) == faults


def test_faults_combine_with_parameters_and_a_window() -> None:
    latency, reset = parse_fault("latency:latency=200;jitter=50+reset_peer:1000@2-10")
    assert (latency.number("latency"), latency.number("jitter")) == (200, 50)
    assert reset.window == (2, 10)
    assert not reset.is_active(1.9)
    assert reset.is_active(2)
    assert not reset.is_active(None)
    assert latency.is_active(None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latensy:5", "did you mean latency"),
        ("latency:speed=5", "has no parameter 'speed'; it has latency, jitter"),
        ("latency:x", "takes a number, not 'x'"),
        ("no_answer:share=2", "a share lies between 0 and 1"),
        ("timeout:0@10-2", "a window is written"),
        ("latency:-1", "out of range"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_fault(text)


def test_a_share_is_kept_and_replayable() -> None:
    fault = Fault(name="no_answer", parameters={"share": 0.1, "nth": 0})
    hits = [fault.hits(ordinal=n, action="x", seed=3) for n in range(5000)]
    assert hits == [fault.hits(ordinal=n, action="x", seed=3) for n in range(5000)]
    assert 400 < sum(hits) < 600


@pytest.mark.parametrize("name", KINDS)
def test_the_reference_has_every_fault_with_its_parameters_and_help(name: str) -> None:
    kind = KINDS[name]
    text = (Path(__file__).parents[3] / "docs" / "reference" / "faults.md").read_text()
    parameters = ", ".join(f"`{key}={value}`" for key, value in kind.parameters.items())
    assert f"| `{name}` | {parameters} | {kind.help} |" in text


@pytest.mark.parametrize("text", ["latency:nan", "latency:inf", "timeout:0@nan-2", "timeout:0@0-inf", "timeout:0@-5-2"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|window"):
        parse_fault(text)
