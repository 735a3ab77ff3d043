"""With ``--json`` an error is one JSON document on standard output, and still one sentence on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repro.cli.failure import is_json_asked
from repro.errors import ReproError


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("run", "locust-2673", "--json"), "unknown experiment 'locust-2673'", "did you mean locust-2637?"),
        (("run", "--json", "--trials", "many"), "'many' is not a valid integer", "`repro run --help` shows"),
        (("run", "--json", "--set", "client=sharde"), "'sharde'", "did you mean shared?"),
        (("bisect", "--json", "urllib3", "--resume"), "no run was found", "repro run"),
        (("bisect", "--json", "--find", "worst"), "'worst' is not one of", "`repro bisect --help` shows"),
        (("blame", "--json"), "no good packages", "--good PATH"),
        (("report", "no-such", "--format", "json"), "no-such", "`repro list runs` shows"),
        (("report", "no-such", "--format=json"), "no-such", "`repro list runs` shows"),
        (("attach", "4194305", "--json"), "process 4194305", "`ps -ef` shows"),
        (("attach", "me", "--json"), "is not a valid process id", "`repro attach --help` shows"),
        (("doctor", "no.txt", "--json"), "no.txt", "requirements file"),
        (("doctor", "no.txt", "--format", "json"), "no.txt", "requirements file"),
        (("env", "list", "--json", "--odd"), "--odd", "`repro env list --help` shows"),
        (("rnu", "--json"), "'rnu'", "`repro --help` shows"),
    ],
)
def test_an_error_is_the_one_document(words: tuple[str, ...], error: str, hint: str, tmp_path: Path, typed) -> None:
    done = typed(*words, folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache"))
    document = json.loads(done.stdout)
    assert set(document) == {"error", "hint", "exit_code"}
    assert document["exit_code"] == done.returncode == 2
    assert error in document["error"]
    assert hint in document["hint"]
    assert "Error: " in done.stderr


def test_without_json_an_error_leaves_standard_output_empty(tmp_path: Path, typed) -> None:
    for words in (("run", "locust-2673"), ("run", "--trials", "many"), ("report", "no-such", "--format", "md")):
        assert typed(*words, folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache")).stdout == ""


def test_the_document_is_redacted_unless_it_is_not_to_be(tmp_path: Path, typed) -> None:
    words = ("run", "--json", "--locustfile", str(tmp_path / "no.py"))
    assert str(tmp_path) not in typed(*words, folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache")).stdout
    assert (
        str(tmp_path) in typed(*words, "--no-redact", folder=tmp_path, REPRO_CACHE_DIR=str(tmp_path / "cache")).stdout
    )


@pytest.mark.parametrize(
    ("words", "is_asked"),
    [
        (["run", "--json"], True),
        (["run", "--", "python", "mine.py", "--json"], False),
        (["report", "--format", "json"], True),
        (["report", "--format=json"], True),
        (["report", "--format", "md"], False),
        (["report", "json"], False),
    ],
)
def test_what_asks_for_json(words: list[str], *, is_asked: bool) -> None:
    assert is_json_asked(words) is is_asked


def test_the_next_move_is_behind_the_last_semicolon() -> None:
    assert ReproError("a; b; do c").parts == ("a; b", "do c")
    assert ReproError("a").parts == ("a", "")
    assert ReproError("a; b TIP: c; d").parts == ("a; b", "c; d")
