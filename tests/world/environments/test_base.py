"""Environments that are made from somebody's own: the same releases but for what is asked for and what must move with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.model import BaseEnvironment, EnvironmentSpec
from repro.world.environments.base import read_base
from repro.world.environments.cache import Builder, EnvironmentCache
from repro.world.processes import door

LIMIT_S = 60.0


@pytest.fixture
def base(package_index, tmp_path: Path) -> BaseEnvironment:
    """An environment with ``app``, which needs ``dep``, both in old releases; with a project that is linked and has a script."""
    for version in ("1.0", "2.0", "3.0"):
        package_index.add("dep", version)
    package_index.add("app", "1.0", requires=["dep<3"])
    package_index.add("app", "2.0", requires=["dep>=2"])
    package_index.add("extra", "1.0")
    package_index.add("extra", "1.1")
    spec = EnvironmentSpec(pins={"app": "1.0", "dep": "1.0"})
    interpreter = EnvironmentCache(tmp_path / "theirs").ensure(spec).interpreter
    site = next(interpreter.parents[1].glob("lib/python*/site-packages"))
    source = tmp_path / "project" / "src"
    source.mkdir(parents=True)
    (source / "mine.py").write_text("VALUE = 'from the source'\n")
    about = site / "mine-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 0.1\nRequires-Dist: dep>=1\n")
    (about / "direct_url.json").write_text(f'{{"url": "file://{tmp_path}/project", "dir_info": {{"editable": true}}}}')
    (site / "_mine.pth").write_text(f"{source}\n")
    script = interpreter.parent / "minetool"
    script.write_text(f"#!{interpreter}\nimport mine\nprint(mine.VALUE)\n")
    script.chmod(0o755)
    names = ["_mine.pth", "mine-0.1.dist-info/METADATA", "mine-0.1.dist-info/direct_url.json", "../../../bin/minetool"]
    (about / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    return read_base(interpreter)


def said_by(interpreter: Path, *words: str) -> str:
    done = door.run([interpreter, *words], limit_s=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_tells_what_an_index_has_from_what_it_has_not(base: BaseEnvironment) -> None:
    assert base.versions == {"app": "1.0", "dep": "1.0"}
    assert set(base.local) == {"mine"}
    assert set(base.roots) == {"app", "dep"}  # dep, too: what a local project needs is stated nowhere else


def test_only_what_is_asked_for_changes_and_a_linked_project_is_there(base: BaseEnvironment, tmp_path: Path) -> None:
    spec = EnvironmentSpec(pins={"extra": "1.0"}, base=base)
    made = EnvironmentCache(tmp_path / "ours").ensure(spec)
    assert made.versions == {"app": "1.0", "dep": "1.0", "extra": "1.0", "mine": "0.1"}
    assert said_by(made.interpreter, "-c", "import mine; print(mine.VALUE)") == "from the source"
    tool = made.interpreter.parent / "minetool"
    assert said_by(tool) == "from the source"
    assert str(made.interpreter) in tool.read_text()
    assert made.interpreter != base.interpreter


def test_what_must_move_with_it_moves_and_is_said(base: BaseEnvironment, tmp_path: Path) -> None:
    said: list[str] = []
    spec = EnvironmentSpec(pins={"app": "2.0"}, base=base)
    with Builder(EnvironmentCache(tmp_path / "ours"), workers=1, on_moved=said.append) as builder:
        made = builder.submit(spec).result(LIMIT_S)
    assert made.versions["app"] == "2.0"
    assert made.versions["dep"] in {"2.0", "3.0"}
    assert said == [f"app==2.0: with it dep 1.0 → {made.versions['dep']}"]


def test_a_package_without_a_release_comes_in_its_newest(base: BaseEnvironment, tmp_path: Path) -> None:
    spec = EnvironmentSpec(requires=("extra", "dep"), base=base)
    made = EnvironmentCache(tmp_path / "ours").ensure(spec)
    assert (made.versions["extra"], made.versions["dep"], made.versions["app"]) == ("1.1", "2.0", "1.0")


def test_the_environment_that_it_is_made_from_stays_as_it_is(base: BaseEnvironment, tmp_path: Path) -> None:
    before = sorted(path.relative_to(tmp_path) for path in (tmp_path / "project").rglob("*"))
    EnvironmentCache(tmp_path / "ours").ensure(EnvironmentSpec(pins={"dep": "2.0"}, base=base))
    assert read_base(base.interpreter) == base
    assert sorted(path.relative_to(tmp_path) for path in (tmp_path / "project").rglob("*")) == before
