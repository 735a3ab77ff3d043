"""Cached environments: keyed by what was asked, whole or made anew, the resolver's words when they cannot be made."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import psutil
import pytest

from repro.errors import ProcessError, StoreError, UntestableError
from repro.model import Environment, EnvironmentSpec
from repro.world.environments import installer, interpreters
from repro.world.environments.cache import MARKER, Builder, EnvironmentCache, describe, key_of, resolve
from repro.world.processes import door

LIMIT_S = 60.0
SPEC = EnvironmentSpec(pins={"app": "1.0"}, requires=("dep",))


class Progress(list[str]):
    """The lines that were said."""


def peek(cache: EnvironmentCache, spec: EnvironmentSpec) -> Environment | None:
    """The environment when it is there and whole; builds nothing."""
    try:
        return cache._read(key_of(spec, interpreters.find(spec.python).version))
    except UntestableError:
        return None


@pytest.fixture
def index(package_index):
    """``app`` needs ``dep``; of ``old`` all that ``needy`` would take was withdrawn."""
    package_index.add("app", "1.0", requires=["dep<3"])
    package_index.add("dep", "1.0", released=date(2023, 1, 1))
    package_index.add("dep", "2.0", released=date(2024, 6, 1))
    package_index.add("dep", "3.0", released=date(2024, 7, 1))
    package_index.add("needy", "1.0", requires=["old<2"])
    package_index.add("old", "1.0", yanked="broken")
    package_index.add("old", "1.1", yanked=True)
    package_index.add("old", "2.0")
    return package_index


@pytest.fixture
def cache(index, tmp_path: Path) -> EnvironmentCache:
    """An empty cache, and the index that fills it."""
    assert index.asked == []
    return EnvironmentCache(tmp_path / "cache")


def test_an_environment_is_built_once_and_has_what_was_asked(index, cache: EnvironmentCache) -> None:
    said = Progress()
    found = cache.ensure(SPEC, on_progress=said.append)
    assert found.versions == {"app": "1.0", "dep": "2.0"}
    assert found.python == interpreters.find().version
    done = door.run([found.interpreter, "-c", "import app, dep; print(app.VERSION, dep.VERSION)"], limit_s=LIMIT_S)
    assert done.stdout == "1.0 2.0\n"
    asked = len(index.asked)
    assert cache.ensure(SPEC, on_progress=said.append) == found == peek(cache, SPEC)
    assert said == ["app==1.0"]
    assert len(index.asked) == asked


def test_the_key_is_of_everything_that_was_asked_and_of_nothing_else() -> None:
    usual = EnvironmentSpec(pins={"a": "1", "b": "2"}, requires=("x",))
    others = [
        EnvironmentSpec(pins={"a": "1", "b": "3"}, requires=("x",)),
        EnvironmentSpec(pins={"a": "1"}, requires=("x",)),
        EnvironmentSpec(pins={"a": "1", "b": "2"}, requires=("x", "y")),
        EnvironmentSpec(pins={"a": "1", "b": "2"}, requires=("x",), as_of=date(2024, 3, 15)),
        EnvironmentSpec(pins={"a": "1", "b": "2"}, requires=("x",), as_of=date(2024, 3, 16)),
        EnvironmentSpec(pins={"a": "1", "b": "2"}, requires=("x",), python="3.10"),
    ]
    keys = {key_of(spec, "3.11.7") for spec in (usual, *others)} | {key_of(usual, "3.11.8")}
    assert len(keys) == len(others) + 2
    assert key_of(EnvironmentSpec(pins={"b": "2", "a": "1"}, requires=("x",)), "3.11.7") == key_of(usual, "3.11.7")


def built_by(environment: Environment, name: str) -> str:
    return door.run([environment.interpreter, "-c", f"print(__import__({name!r}).BUILT_BY)"], limit_s=LIMIT_S).stdout


def test_a_source_is_built_with_the_setuptools_of_its_environment(index, cache: EnvironmentCache) -> None:
    """Whatever another environment has made the installer keep."""
    index.add("setuptools", "1.0")
    index.add("setuptools", "2.0")
    index.add_source("source", "1.0", needs="setuptools")
    unasked = cache.ensure(EnvironmentSpec(pins={"source": "1.0"}))
    assert built_by(unasked, "source") == "2.0\n"
    for release in ("1.0", "2.0", "1.0"):
        pins = {"source": "1.0", "setuptools": release}
        found = cache.ensure(EnvironmentSpec(pins=pins))
        assert (found.versions, built_by(found, "source")) == (pins, f"{release}\n")


def test_a_source_is_built_with_the_setuptools_of_the_day(index, cache: EnvironmentCache) -> None:
    index.add("setuptools", "1.0", released=date(2023, 1, 1))
    index.add("setuptools", "2.0", released=date(2024, 6, 1))
    index.add_source("source", "1.0", needs="setuptools", released=date(2023, 1, 1))
    days = {None: "2.0\n", date(2024, 5, 1): "1.0\n", date(2024, 6, 2): "2.0\n"}
    for day, built in days.items():
        assert built_by(cache.ensure(EnvironmentSpec(requires=("source",), as_of=day)), "source") == built


def test_a_source_that_needs_a_newer_setuptools_is_built_with_that(index, cache: EnvironmentCache) -> None:
    index.add("setuptools", "1.0")
    index.add("setuptools", "2.0")
    index.add_source("source", "1.0", needs="setuptools>=2")
    pins = {"source": "1.0", "setuptools": "1.0"}
    found = cache.ensure(EnvironmentSpec(pins=pins))
    assert (found.versions, built_by(found, "source")) == (pins, "2.0\n")


def _lose_metadata(site: Path) -> None:
    (site / "dep-2.0.dist-info" / "METADATA").unlink()


def _lose_module(site: Path) -> None:
    (site / "dep" / "__init__.py").unlink()


def _cut_module(site: Path) -> None:
    (site / "dep" / "__init__.py").unlink()  # a link into the installer's cache
    (site / "dep" / "__init__.py").write_text("")


def _lose_record(site: Path) -> None:
    (site / "dep-2.0.dist-info" / "RECORD").unlink()


def _change_version(site: Path) -> None:
    (site / "dep-2.0.dist-info").rename(site / "dep-1.0.dist-info")


def _lose_interpreter(site: Path) -> None:
    (site.parents[2] / "bin" / "python").unlink()


def _lose_marker(site: Path) -> None:
    (site.parents[2] / MARKER).unlink()


def _break_marker(site: Path) -> None:
    (site.parents[2] / MARKER).write_text('{"python": ')


@pytest.mark.parametrize(
    "damage",
    [
        _lose_metadata,
        _lose_module,
        _cut_module,
        _lose_record,
        _change_version,
        _lose_interpreter,
        _lose_marker,
        _break_marker,
    ],
)
def test_a_damaged_environment_is_made_anew(damage, cache: EnvironmentCache) -> None:
    found = cache.ensure(SPEC)
    damage(next(found.interpreter.parents[1].glob("lib/python*/site-packages")))
    assert peek(cache, SPEC) is None
    said = Progress()
    assert cache.ensure(SPEC, on_progress=said.append) == found
    assert len(said) == 1
    done = door.run([found.interpreter, "-c", "import dep; print(dep.VERSION)"], limit_s=LIMIT_S)
    assert done.stdout == "2.0\n"


def test_byte_code_is_no_damage(cache: EnvironmentCache) -> None:
    found = cache.ensure(SPEC)
    site = next(found.interpreter.parents[1].glob("lib/python*/site-packages"))
    (site / "dep" / "__pycache__").mkdir(exist_ok=True)
    (site / "dep" / "__pycache__" / "more.pyc").write_bytes(b"x")
    assert peek(cache, SPEC) == found


def test_a_marker_of_an_older_release_is_still_good(cache: EnvironmentCache) -> None:
    found = cache.ensure(SPEC)
    marker = found.interpreter.parents[1] / MARKER
    data = json.loads(marker.read_text())
    del data["files"]
    marker.write_text(json.dumps(data))
    assert peek(cache, SPEC) == found


def test_what_cannot_be_resolved_keeps_the_resolvers_words_and_leaves_nothing(
    cache: EnvironmentCache, tmp_path: Path
) -> None:
    clash = EnvironmentSpec(pins={"app": "1.0", "dep": "3.0"})
    for attempt in (cache.ensure, resolve):
        with pytest.raises(UntestableError) as caught:
            attempt(clash)
        said = str(caught.value)
        assert "\n" not in said
        assert "dep<3" in said
        assert "dep==3.0" in said
        assert "unsatisfiable" in said
    with pytest.raises(UntestableError, match=r"no version of app==9\.9"):
        cache.ensure(EnvironmentSpec(pins={"app": "9.9"}))
    assert [path for path in (tmp_path / "cache" / "environments").iterdir() if path.is_dir()] == []
    assert cache.entries() == ()


def test_of_withdrawn_releases_the_newest_that_would_do_is_named(cache: EnvironmentCache) -> None:
    needy = EnvironmentSpec(pins={"needy": "1.0"})
    with pytest.raises(UntestableError, match=r"TIP: withdrawn releases .*; add --set old=1\.1$"):
        cache.ensure(needy)
    found = cache.ensure(EnvironmentSpec(pins={"needy": "1.0", "old": "1.1"}))
    assert found.versions == {"needy": "1.0", "old": "1.1"}


def test_a_release_that_does_not_exist_is_told_with_those_beside_it(index, cache: EnvironmentCache) -> None:
    assert index.asked == []
    with pytest.raises(UntestableError, match=r"TIP: dep 2\.5 does not exist; choose a release such as 2\.0 or 3\.0$"):
        cache.ensure(EnvironmentSpec(pins={"dep": "2.5"}))


def test_a_name_that_the_index_does_not_know_is_told(index, cache: EnvironmentCache) -> None:
    assert index.asked == []
    with pytest.raises(UntestableError, match=r"TIP: the package index does not have apq; check the spelling$"):
        cache.ensure(EnvironmentSpec(pins={"apq": "1.0"}))


def test_as_of_a_day_what_is_not_pinned_is_as_it_was_and_pins_may_be_newer(cache: EnvironmentCache) -> None:
    day = date(2024, 3, 15)
    assert cache.ensure(EnvironmentSpec(pins={"app": "1.0"}, as_of=day)).versions == {"app": "1.0", "dep": "1.0"}
    assert resolve(EnvironmentSpec(pins={"app": "1.0"}, as_of=day)) == {"app": "1.0", "dep": "1.0"}
    pinned = EnvironmentSpec(pins={"app": "1.0", "dep": "2.0"}, as_of=day)
    assert cache.ensure(pinned).versions == {"app": "1.0", "dep": "2.0"}
    with pytest.raises(UntestableError):
        cache.ensure(EnvironmentSpec(requires=("dep",), as_of=date(2022, 1, 1)))


@pytest.mark.usefixtures("index")
def test_the_day_itself_counts() -> None:
    assert resolve(EnvironmentSpec(requires=("dep",), as_of=date(2024, 6, 1))) == {"dep": "2.0"}
    assert resolve(EnvironmentSpec(requires=("dep",), as_of=date(2024, 5, 31))) == {"dep": "1.0"}


def test_an_interpreter_that_is_not_there_is_untestable(cache: EnvironmentCache) -> None:
    with pytest.raises(UntestableError, match=r"Python 3\.99 is not installed \(found: 3\."):
        cache.ensure(EnvironmentSpec(python="3.99"))
    assert peek(cache, EnvironmentSpec(python="3.99")) is None


def test_without_an_index_one_sentence_says_so(
    cache: EnvironmentCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(UntestableError, match=r"^the package index cannot be reached, .* or use --python PATH\."):
        cache.ensure(SPEC)


def test_an_existing_environment_is_taken_as_it_is(cache: EnvironmentCache) -> None:
    found = cache.ensure(SPEC)
    folder = found.interpreter.parents[1]
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    untouched = cache.ensure(EnvironmentSpec(interpreter=found.interpreter))
    assert (untouched.key, untouched.interpreter) == ("untouched", found.interpreter)
    assert (untouched.versions, untouched.python) == (found.versions, found.python)
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before


def test_entries_are_listed_the_one_used_last_first_and_removed(cache: EnvironmentCache) -> None:
    first = cache.ensure(SPEC)
    second = cache.ensure(EnvironmentSpec(pins={"dep": "1.0"}))
    time.sleep(0.02)
    cache.ensure(SPEC)
    entries = cache.entries()
    assert [entry.key for entry in entries] == [first.key, second.key]
    assert entries[0].asked["pins"] == {"app": "1.0"}
    assert entries[0].size > 1000
    cache.remove(first.key)
    assert [entry.key for entry in cache.entries()] == [second.key]
    assert not first.interpreter.exists()


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write to the cache .*; set REPRO_CACHE_DIR to a folder"):
        EnvironmentCache(tmp_path / "file").ensure(SPEC)


BUILD = """
import sys
from pathlib import Path
from repro.model import EnvironmentSpec
from repro.world.environments.cache import EnvironmentCache
spec = EnvironmentSpec(pins={"app": "1.0"}, requires=("dep",))
found = EnvironmentCache(Path(sys.argv[1])).ensure(spec, on_progress=lambda text: print("built"))
print(found.key, sorted(found.versions.items()))
"""


def builder(folder: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", BUILD, str(folder)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("index")
def test_two_programs_that_want_the_same_build_it_once(tmp_path: Path) -> None:
    programs = [builder(tmp_path / "cache") for _ in range(2)]
    outputs = [program.communicate(timeout=LIMIT_S)[0].splitlines() for program in programs]
    assert [program.returncode for program in programs] == [0, 0]
    assert sorted(len(lines) for lines in outputs) == [1, 2]
    assert outputs[0][-1] == outputs[1][-1]
    assert peek(EnvironmentCache(tmp_path / "cache"), SPEC) is not None


def test_a_builder_that_was_killed_leaves_nothing_that_counts(cache: EnvironmentCache, tmp_path: Path) -> None:
    victim = builder(tmp_path / "cache")
    deadline = time.monotonic() + LIMIT_S
    while not list((tmp_path / "cache").glob("environments/*/pyvenv.cfg")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    installers = psutil.Process(victim.pid).children(recursive=True)
    victim.kill()
    victim.communicate()
    for child in installers:  # what the warden does where there is one
        with suppress(psutil.NoSuchProcess):
            child.kill()
            child.wait(LIMIT_S)
    found = cache.ensure(SPEC)
    assert found.versions == {"app": "1.0", "dep": "2.0"}
    assert peek(cache, SPEC) == found


def test_builds_run_ahead_and_the_same_request_is_one(cache: EnvironmentCache) -> None:
    said = Progress()
    same = EnvironmentSpec(requires=("dep",), pins={"app": "1.0"})
    with Builder(cache, workers=2, on_progress=said.append) as builder:
        futures = [builder.submit(SPEC), builder.submit(same), builder.submit(EnvironmentSpec(pins={"app": "9"}))]
        assert futures[0] is futures[1]
        assert futures[0].result(LIMIT_S).versions["dep"] == "2.0"
        with pytest.raises(UntestableError):
            futures[2].result(LIMIT_S)
    assert sorted(said) == ["app==1.0", "app==9"]


def test_a_request_is_described_in_words() -> None:
    spec = EnvironmentSpec(pins={"a": "1", "b": "2"}, requires=("x",), as_of=date(2024, 3, 15), python="3.10")
    assert describe(spec) == "a==1 b==2 as of 2024-03-15 on Python 3.10"
    assert describe(EnvironmentSpec(requires=("x", "y"))) == "x y"


@pytest.mark.registry
def test_locust_2_24_needs_a_withdrawn_release_and_the_tip_is_one_that_works() -> None:
    with pytest.raises(UntestableError, match=r"configargparse.*TIP: .*; add --set configargparse=") as caught:
        resolve(EnvironmentSpec(pins={"locust": "2.24.0"}, as_of=date(2024, 3, 15)))
    tip = str(caught.value).rpartition("configargparse=")[2]
    found = resolve(EnvironmentSpec(pins={"locust": "2.24.0", "configargparse": tip}, as_of=date(2024, 3, 15)))
    assert found["locust"] == "2.24.0"
    assert found["configargparse"] == tip
    assert "gevent" in found


@pytest.mark.registry
def test_a_real_package_is_installed_and_runs(tmp_path: Path) -> None:
    found = EnvironmentCache(tmp_path / "cache").ensure(EnvironmentSpec(pins={"idna": "3.4"}, python="3.11"))
    assert found.versions == {"idna": "3.4"}
    done = door.run([found.interpreter, "-c", "import idna; print(idna.encode('ä').decode())"], limit_s=LIMIT_S)
    assert done.stdout == "xn--4ca\n"


def test_an_installer_that_is_killed_says_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "uv"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(installer, "uv_path", lambda: str(killed))
    with pytest.raises(ProcessError, match=r"ended by signal 9 while it made demo==1.0; nothing was kept"):
        resolve(EnvironmentSpec(pins={"demo": "1.0"}))
