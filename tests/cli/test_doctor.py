"""``repro doctor``: what versions allow is told, what a cure rules out is not, and possible is never called present."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from repro.cli import cli
from repro.core.causes.known_causes import Cause
from repro.core.causes.prognosis import possible_causes
from repro.world.shipped.causes import known_causes

REPORT = {"gevent": "24.2.1", "urllib3": "2.2.1", "locust": "2.24.0", "boto3": "1.34.64"}


def pylock(folder: Path, **packages: str) -> Path:
    file = folder / "pylock.toml"
    blocks = [
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n[packages.sdist]\nname = "{name}-{version}.tar.gz"\n'
        f'url = "https://x.invalid/{name}-{version}.tar.gz"\nhashes = {{sha256 = "00"}}\n'
        for name, version in packages.items()
    ]
    file.write_text('lock-version = "1.0"\ncreated-by = "me"\n' + "\n".join(blocks))
    return file


def doctor(*words: object) -> Result:
    return CliRunner().invoke(cli, ["doctor", *map(str, words)])


def test_the_reports_packages_can_have_what_it_saw_and_the_cures_rule_it_out(tmp_path: Path) -> None:
    done = doctor(pylock(tmp_path, **REPORT), "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 3
    assert document["packages"] == REPORT
    found = {one["id"]: one for one in document["causes"]}
    assert {"gevent-1957", "gevent-1957-frozen", "gevent-1957-lost-wake-up"} <= set(found)
    assert found["gevent-1957"]["certain"] is False
    assert found["gevent-1957"]["needs"]
    for cure in found["gevent-1957"]["cures"]:
        wanted = Requirement(cure)
        (specifier,) = wanted.specifier
        version = specifier.version if specifier.operator == ">=" else "1.26.15"
        cured = json.loads(doctor(pylock(tmp_path, **REPORT | {wanted.name: version}), "--json").stdout)
        assert "gevent-1957" not in {one["id"] for one in cured["causes"]}, cure


def test_what_every_version_can_have_counts_for_nothing(tmp_path: Path) -> None:
    done = doctor(pylock(tmp_path, gevent="26.9.0", urllib3="2.5.0"))
    assert done.exit_code == 0
    assert "none of the" in done.stdout
    assert "ANY VERSION  patched-too-late" in done.stdout
    causes = {cause.summary: cause.id for cause in known_causes()}
    listed = [
        line for line in done.stdout.splitlines() if line.startswith("ANY VERSION") and line.split("  ")[-1] in causes
    ]
    assert len({line.index(line.split("  ")[-1]) for line in listed}) == 1  # one column, however long an id is


def test_packages_without_gevent_have_none(tmp_path: Path) -> None:
    document = json.loads(doctor(pylock(tmp_path, attrs="25.1.0"), "--json").stdout)
    assert document["causes"] == []


def test_a_cause_that_needs_nothing_but_its_versions_is_certain() -> None:
    cause = Cause(
        id="x",
        title="x",
        classes=("frozen",),
        packages={"gevent": SpecifierSet("<2")},
        evidence=(),
        cure="y",
        shown_by="z",
        cures=("gevent>=1.9",),
    )
    (found,) = possible_causes([cause], {"Gevent": "1.5"})
    assert found.is_certain
    assert possible_causes([cause], {"gevent": "1.9"}) == ()
    assert possible_causes([cause], {"gevent": "2.1"}) == ()
    assert possible_causes([cause], {}) == ()


def test_annotations_are_github_lines(tmp_path: Path) -> None:
    lines = doctor(pylock(tmp_path, **REPORT), "--python", "3.11", "--format", "github").stdout.splitlines()
    assert all(line.startswith(("::warning title=", "::notice title=", "::error title=")) for line in lines)
    assert [line.partition("::")[2].split("::")[0] for line in lines] == [
        *(f"warning title={name}" for name in ("gevent-1865", "gevent-1957-frozen", "gevent-1957-lost-wake-up")),
        *(f"warning title={name}" for name in ("gevent-1957", "gevent-1959", "locust-2852")),
        "notice title=Any version",
    ]
    assert "bare-except" in lines[-1]


def test_what_else_is_installed_makes_a_cause_likely_and_comes_first(tmp_path: Path) -> None:
    alone = doctor(pylock(tmp_path, **REPORT))
    assert "LIKELY" not in alone.stdout
    done = doctor(pylock(tmp_path, **REPORT, requests="2.32.3"))
    assert done.exit_code == alone.exit_code == 3
    assert "By what else is installed, 3 are likely." in " ".join(done.stdout.split())
    assert done.stdout.index("LIKELY    gevent-1957") < done.stdout.index("POSSIBLE")
    assert "likely     requests is installed" in done.stdout
    document = json.loads(doctor(pylock(tmp_path, **REPORT, requests="2.32.3"), "--json").stdout)
    found = {one["id"]: (one["likelihood"], one["signs"]) for one in document["causes"]}
    assert found["gevent-1957"] == ("likely", [{"kind": "installed", "name": "requests"}])
    assert found["gevent-1865"] == ("possible", [])


@pytest.mark.parametrize("cause", known_causes(), ids=lambda cause: cause.id)
def test_every_known_cause_says_what_it_takes_how_it_shows_and_what_cures_it(cause: Cause) -> None:
    assert cause.needs
    assert cause.shows
    assert cause.cures


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.lock").write_text("[[[")
    for words in (("nosuch",), (tmp_path / "x.lock",), ("",)):
        done = doctor(*words)
        assert done.exit_code != 0
        assert done.exception is None or "Traceback" not in done.output
