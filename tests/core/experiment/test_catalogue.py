"""The names of factors, and what each takes."""

import pytest

from repro.core.experiment.factors.catalogue import COMMON
from repro.core.experiment.factors.factor import LevelType
from repro.errors import ExperimentError


def named(name: str) -> str:
    return COMMON.canonical(name, where="here")


@pytest.mark.parametrize("factor", COMMON.settings, ids=lambda factor: factor.name)
def test_every_default_is_a_level_of_its_own_factor(factor) -> None:
    assert COMMON.level(factor.name, factor.default, where="") == factor.default
    assert COMMON.level(factor.name, str(factor.default), where="") == factor.default
    assert type(COMMON.level(factor.name, str(factor.default), where="")) is type(factor.default)
    assert factor.help


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("users", "users"),
        ("stack", "stack"),
        ("python", "python"),
        ("as_of", "as_of"),
        ("env.A_b", "env.A_b"),
        ("URLLIB3", "urllib3"),
        ("Flask_Cors", "flask-cors"),
        ("zope.interface", "zope-interface"),
        ("packages.usres", "usres"),
        ("packages.Boto", "boto"),
    ],
)
def test_a_name_has_one_spelling(written: str, name: str) -> None:
    assert named(written) == name


@pytest.mark.parametrize("name", ["usres", "gevnt", "env.", "a b", "", "boto", "wait-time-seconds"])
def test_what_looks_like_a_slip_of_the_pen_is_asked_about(name: str) -> None:
    with pytest.raises(ExperimentError, match=r"^here: .*`repro list factors` shows all"):
        named(name)


def test_only_distributions_are_packages() -> None:
    names = ["locust", "flask", "users", "stack", "python", "as_of", "env.PATH"]
    assert [name for name in names if COMMON.is_package(name)] == ["locust", "flask"]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("users", "20", 20),
        ("users", 20.0, 20),
        ("read_timeout", "0.5", 0.5),
        ("read_timeout", "60.0", 60),
        ("tls", "ON", True),
        ("tls", 0, False),
        ("locust", "2.24.0", "2.24.0"),
        ("locust", "1.0-RC1", "1.0rc1"),
        ("locust", "latest", ""),
        ("python", "3.10", "3.10"),
        ("as_of", "", ""),
        ("env.N", 5, "5"),
        ("fault", "timeout:0@2-10", "timeout:0@2-10"),
    ],
)
def test_a_level_has_its_factors_type(name: str, value: object, found: object) -> None:
    read = COMMON.level(name, value, where="")
    assert read == found
    assert type(read) is type(found)


def test_accepted_levels_are_said_in_words() -> None:
    assert COMMON.factor("retry_mode").accepted == "choose legacy, standard or adaptive"
    assert COMMON.factor("wait_time_seconds").accepted == "it takes a whole number, 0 to 20"
    assert COMMON.factor("spawn_rate").accepted == "it takes a number, 0 or more"
    assert COMMON.factor("tls").accepted == "it takes true or false"


def test_the_bounds_themselves_are_levels_and_what_lies_beyond_is_not() -> None:
    for factor in COMMON:
        if factor.kind not in {LevelType.COUNT, LevelType.NUMBER}:
            continue
        assert COMMON.level(factor.name, factor.least, where="") == factor.least
        beyond = [factor.least - 1, *([factor.most + 1] if factor.most != float("inf") else [])]
        for value in beyond:
            with pytest.raises(ExperimentError):
                COMMON.level(factor.name, value, where="")


def test_defaults_are_those_of_the_table() -> None:
    usual = COMMON.defaults
    assert len(usual) == len(COMMON.settings)
    assert (usual["client"], usual["read_timeout"], usual["max_attempts"]) == ("per-iteration", 60, 5)
