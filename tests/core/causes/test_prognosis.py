"""What makes a cause likely beside its versions: packages that are there or not, and words of the command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from repro.core.causes.known_causes import Cause, Conditions
from repro.core.causes.prognosis import Likelihood, Sign, SignKind, possible_causes
from repro.errors import StoreError
from repro.world.shipped.causes import known_causes

VERSIONS = {"gevent": "26.9.0", "psycopg2-binary": "2.9.10", "Locust": "2.47.0"}


def likely(conditions: Conditions, command: Sequence[str] | None = None) -> tuple[Likelihood, tuple[Sign, ...]]:
    cause = Cause(
        id="x",
        title="x",
        classes=("frozen",),
        packages={"gevent": SpecifierSet("")},
        evidence=(),
        cure="y",
        shown_by="z",
        needs="more",
        likely=conditions,
    )
    (found,) = possible_causes([cause], VERSIONS, command)
    return found.likelihood, found.signs


INSTALLED = Sign(SignKind.INSTALLED, "psycopg2_binary")
MISSING = Sign(SignKind.MISSING, "psycogreen")
PROCESSES = Sign(SignKind.COMMAND, "--processes")


@pytest.mark.parametrize(
    ("conditions", "command", "signs"),
    [
        (Conditions(), None, ()),
        (Conditions(), ["locust"], ()),
        (Conditions(packages=("mysqlclient", "psycopg2_binary")), None, (INSTALLED,)),  # one is enough, by any spelling
        (Conditions(packages=("mysqlclient",)), None, ()),
        (Conditions(packages=("psycopg2_binary",), without=("psycogreen",)), None, (INSTALLED, MISSING)),
        (Conditions(packages=("psycopg2_binary",), without=("LOCUST",)), None, ()),
        (Conditions(command=("--processes",)), None, ()),  # no command is known: nothing is claimed
        (Conditions(command=("--processes",)), ["locust", "-f", "x.py"], ()),
        (Conditions(command=("--processes",)), ["locust", "--processes", "4"], (PROCESSES,)),
        (Conditions(command=("--processes",)), ["locust", "--processes=4"], (PROCESSES,)),
        (Conditions(command=("locust",)), ["/x/bin/python", "/x/bin/locust"], (Sign(SignKind.COMMAND, "locust"),)),
        (Conditions(command=("locust",)), ["python", "/srv/locust/run.py"], ()),
        (Conditions(packages=("psycopg2_binary",), command=("--processes",)), ["locust"], ()),  # all must hold
        (
            Conditions(packages=("psycopg2_binary",), command=("--processes",)),
            ["locust", "--processes", "2"],
            (INSTALLED, PROCESSES),
        ),
    ],
)
def test_a_cause_is_likely_where_all_that_its_file_says_holds(
    conditions: Conditions, command: Sequence[str] | None, signs: tuple[Sign, ...]
) -> None:
    assert likely(conditions, command) == (Likelihood.LIKELY if signs else Likelihood.POSSIBLE, signs)


@pytest.mark.parametrize(
    ("versions", "command", "expected"),
    [
        ({"gevent": "24.2.1", "urllib3": "2.2.1", "requests": "2.32.3"}, None, {"gevent-1957", "gevent-1957-frozen"}),
        ({"gevent": "26.9.0", "locust": "2.47.0", "psycopg2-binary": "2.9.10"}, None, {"psycopg-blocks"}),
        ({"gevent": "26.9.0", "psycopg2-binary": "2.9.10"}, None, set()),  # nothing says that it runs under gevent
        ({"gevent": "26.9.0", "locust": "2.47.0", "grpcio": "1.70.0"}, None, {"grpc-blocks"}),
        ({"gevent": "26.9.0", "psycopg": "3.1.13", "psycopg-binary": "3.1.13"}, None, {"psycopg-527"}),
        ({"gevent": "26.9.0", "psycopg": "3.1.13"}, None, set()),
        ({"locust": "2.31.5"}, ["locust", "--config-users={}"], {"locust-2852"}),
        ({"locust": "2.31.5"}, ["locust", "-u", "5"], set()),
    ],
)
def test_the_known_causes_are_likely_where_what_they_need_can_be_seen(
    versions: dict[str, str], command: Sequence[str] | None, expected: set[str]
) -> None:
    found = possible_causes(known_causes(), versions, command)
    ids = {one.cause.id for one in found if one.likelihood is Likelihood.LIKELY}
    assert expected <= ids
    assert expected or not ids


@pytest.mark.parametrize(
    ("versions", "cause"),
    [({"gevent": "26.9.0", "locust": "2.47.0", "psycopg2-binary": "2.9.10", "psycogreen": "1.0.2"}, "psycopg-blocks")],
)
def test_what_rules_a_condition_out_leaves_the_cause_possible(versions: dict[str, str], cause: str) -> None:
    found = {one.cause.id: one.likelihood for one in possible_causes(known_causes(), versions)}
    assert found[cause] is Likelihood.POSSIBLE


def test_an_interpreter_that_a_cause_does_not_concern_cannot_have_it_and_an_unknown_one_may() -> None:
    cause = next(one for one in known_causes() if one.id == "gevent-2188")
    for python, is_possible in (("3.12.1", False), ("3.13.0", True), ("3.14.0rc1", True), ("", True)):
        assert bool(possible_causes([cause], {"gevent": "26.5.0"}, python=python)) is is_possible, python


def test_a_condition_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    whole = (Path(known_causes.__code__.co_filename).parents[2] / "known" / "grpc-blocks.toml").read_text("utf-8")
    for written, said in (
        ('colour = ["x"]', "likely: unknown key colour"),
        ('packages = "locust"', "likely: each of its keys has a list of words"),
    ):
        (tmp_path / "a.toml").write_text(whole.replace('packages = ["locust", "gunicorn", "celery"]', written))
        with pytest.raises(StoreError, match=said):
            known_causes(tmp_path)
