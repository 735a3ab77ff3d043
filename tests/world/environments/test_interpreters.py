"""Which interpreters are found, which one is taken, and what is said of one that is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.version import Version

from repro.errors import ExitCode, UntestableError, UsageError
from repro.world.environments import interpreters
from repro.world.processes import door

OWN = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine with nothing but what the test puts into pyenv's, uv's folder and one folder on PATH."""
    for name, folder in (("PYENV_ROOT", "pyenv"), ("UV_PYTHON_INSTALL_DIR", "uv"), ("PATH", "bin")):
        monkeypatch.setenv(name, str(tmp_path / folder))
        (tmp_path / folder).mkdir()
    interpreters.find_all.cache_clear()
    yield tmp_path
    interpreters.find_all.cache_clear()


def put(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def says(version: str, implementation: str = "CPython") -> str:
    return f"echo {implementation} {version}"


def test_what_is_found_is_what_it_says_it_is() -> None:
    found = interpreters.find_all()
    assert found
    versions = [Version(one.version) for one in found]
    assert versions == sorted(versions, reverse=True)
    assert min(versions) >= Version("3.8")
    assert len({one.path.resolve() for one in found}) == len(found)
    for one in found:
        done = door.run([one.path, "-c", "import platform; print(platform.python_version())"], limit_s=20)
        assert done.stdout.strip() == one.version


def test_interpreters_of_all_places_are_found_and_old_or_other_ones_are_not(elsewhere: Path) -> None:
    put(elsewhere / "pyenv/versions/3.11.7/bin/python3", says("3.11.7"))
    put(elsewhere / "pyenv/versions/3.7.16/bin/python3", says("3.7.16"))
    put(elsewhere / "uv/cpython-3.12.1-linux/bin/python3", says("3.12.1"))
    put(elsewhere / "bin/python3.9", says("3.9.18"))
    put(elsewhere / "bin/python3.10", says("3.10.13", "PyPy"))
    put(elsewhere / "bin/python3.13", "exit 1")
    put(elsewhere / "bin/python3.8", says("3.8.18")).chmod(0o644)
    put(elsewhere / "bin/python3-config", says("3.14.0"))
    put(elsewhere / "bin/python", says("3.14.0"))
    (elsewhere / "bin/python3.14").symlink_to(elsewhere / "pyenv/versions/3.11.7/bin/python3")
    assert [one.version for one in interpreters.find_all()] == ["3.12.1", "3.11.7", "3.9.18"]


def test_the_newest_of_a_line_is_taken_and_3_1_is_not_3_11(elsewhere: Path) -> None:
    for version in ("3.11.2", "3.11.10", "3.12.1"):
        put(elsewhere / f"pyenv/versions/{version}/bin/python3", says(version))
    assert interpreters.find("3.11").version == "3.11.10"
    assert interpreters.find("3.11.2").version == "3.11.2"
    assert interpreters.find().version == "3.11.10"
    for wanted in ("3.1", "3.11.1", "3"):
        if wanted == "3":
            assert interpreters.find(wanted).version == "3.12.1"
            continue
        with pytest.raises(UntestableError, match=rf"Python {wanted} is not installed \(found: 3\.12\.1, 3\.11\.10, "):
            interpreters.find(wanted)


def test_without_the_preferred_one_the_nearest_is_taken(elsewhere: Path) -> None:
    for version in ("3.8.1", "3.13.0"):
        put(elsewhere / f"pyenv/versions/{version}/bin/python3", says(version))
    assert interpreters.find().version == "3.13.0"


@pytest.mark.usefixtures("elsewhere")
def test_without_any_the_next_step_is_said() -> None:
    with pytest.raises(
        UntestableError, match=r"\(found: none\); install it, for example with `uv python install 3\.11`"
    ):
        interpreters.find()
    assert UntestableError.exit_code is ExitCode.INCONCLUSIVE


def test_an_environment_is_described_by_itself() -> None:
    version, packages = interpreters.inspect(Path(sys.executable))
    assert version == OWN
    assert packages["pytest"] == pytest.__version__


def test_what_is_no_interpreter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "plain", Path("/bin/true"), put(tmp_path / "x", "echo {}")):
        with pytest.raises(UsageError, match="is not a working Python interpreter; give the path of one, such as"):
            interpreters.inspect(path)
