"""``repro bisect`` as it is typed: a package of our own, in the only index, makes a real Locust test hang."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import jsonschema
import pytest

from repro.cli import cli
from repro.cli.bisect import BisectOptions, _command
from repro.errors import ExitCode, ReproError
from repro.model import Cell, EnvironmentSpec

pytestmark = pytest.mark.timed

NOWHERE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}


def test_a_hang_in_three_of_ten_trials_is_found_among_32_releases(planted, tmp_path: Path, schema, typed) -> None:
    done = typed(*planted(0.3), "--confidence", "0.8", "--seed", "8", "--jobs", "1", "--json", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    jsonschema.validate(document, dict(schema()))
    answer = document["answer"]
    assert (answer["kind"], answer["package"]) == ("first-bad", "planted")
    assert (answer["release"], answer["previous"]) == ("1.18", "1.17"), done.stderr
    assert answer["confidence"] >= 0.8
    assert sum(rate["n"] for rate in answer["trials"].values()) == sum(probe["counts"] for probe in document["probes"])
    assert {probe["hang_class"] for probe in document["probes"]} == {"deadlocked", None}
    later = [rate for release, rate in answer["trials"].items() if int(release.partition(".")[2]) >= 18]
    assert 0 < sum(rate["hits"] for rate in later) < sum(rate["n"] for rate in later)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to bisect was given"),
        (("nothing-such", "mine.toml"), "the package index does not have 'nothing-such'; check its name"),
        (("planted", "known/clean"), "planted is not used by known/clean"),
        (("planted", "locust-2638"), "unknown experiment 'locust-2638'; did you mean locust-2637"),
        (("planted", "mine.toml", "--good", "1.3", "--bad", "1.3"), "are the same release, 1.3; give two"),
        (("planted", "mine.toml", "--good", "1.9", "--bad", "1.3"), "1.9 is newer than 1.3; swap --good and --bad"),
        (("planted", "mine.toml", "--find", "fixed", "--good", "1.3", "--bad", "1.9"), "--bad must be the older one"),
        (("planted", "mine.toml", "--good", "1.99"), "planted 1.99 is not a release that can be tested"),
        (("planted", "mine.toml", "--good", "1.32"), "the index has no release beyond 1.32"),
        (("planted", "mine.toml", "--set", "users=1,2"), "varies users too; fix each with --set"),
        (
            ("planted", "mine.toml", "--set", "absent=1.0"),
            "no release of planted can be installed with the other settings",
        ),
        (("planted", "mine.toml", "--undo"), "add --resume"),
        (("planted", "mine.toml", "--out", "none", "--resume"), "none is not a run"),
        (("planted", "mine.toml", "--python", sys.executable), "--set python=VERSION"),
        (("planted", "mine.toml", "--backend", "aws"), "real account"),
        (("--date", "2024-03-15..2023-02-15"), "give the good day and a later bad day"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(
    words: tuple[str, ...], said: str, planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(1.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process keeps its own handlers
    with pytest.raises(ReproError) as caught:
        cli.main(["bisect", *words], standalone_mode=False)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code in {ExitCode.USAGE, ExitCode.INCONCLUSIVE, ExitCode.FAILED}
    assert not (tmp_path / "repro-runs").exists()


def test_the_command_of_a_probe_sets_the_release_as_it_must_be_typed() -> None:
    given: dict[str, object] = dict.fromkeys(BisectOptions.__dataclass_fields__)
    given |= {"experiment": "mine.toml", "overrides": ("tls=true",)}
    given |= {"queues": (), "buckets": (), "tables": (), "redirects": ()}
    options = BisectOptions(**given)  # type: ignore[arg-type]
    cell = Cell(
        id="c",
        label="user=1.18",
        scenario="s",
        factors={"user": "1.18", "users": 2},
        settings={"users": 2},
        environ={},
        environment=EnvironmentSpec(),
        named=("user",),
    )
    assert _command(options, cell) == "repro run mine.toml --set tls=true --set packages.user=1.18"


def test_without_an_index_one_sentence_says_so(planted, tmp_path: Path, typed) -> None:
    done = typed(*planted(1.0), folder=tmp_path, **NOWHERE, UV_CACHE_DIR=str(tmp_path / "uv"))
    assert done.returncode == 3
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: the package index cannot be")
