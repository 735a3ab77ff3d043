"""Packages read from the files that people keep, against an index whose content is known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from repro.errors import UsageError
from repro.world.environments.lists import read_pins

UV_LOCK = """
version = 1
requires-python = ">=3.11"
resolution-markers = ["python_full_version < '3.99'", "python_full_version >= '3.99'"]

[[package]]
name = "mine"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "demo", extra = ["fast"] },
    { name = "windows-only", marker = "sys_platform == 'win32'" },
    { name = "from-git" },
]
[package.dev-dependencies]
dev = [{ name = "checker" }]
load = [{ name = "loader" }]

[[package]]
name = "demo"
version = "1.10"
source = { registry = "https://index.example/simple" }
dependencies = [
    { name = "base", version = "3.0", source = { registry = "https://index.example/simple" }, marker = "python_full_version < '3.99'" },
    { name = "base", version = "4.0", source = { registry = "https://index.example/simple" }, marker = "python_full_version >= '3.99'" },
]
[package.optional-dependencies]
fast = [{ name = "speed" }]

[[package]]
name = "base"
version = "3.0"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version < '3.99'"]

[[package]]
name = "base"
version = "4.0"
source = { registry = "https://index.example/simple" }
resolution-markers = ["python_full_version >= '3.99'"]

[[package]]
name = "speed"
version = "2.0"
source = { registry = "https://index.example/simple" }

[[package]]
name = "loader"
version = "6.0"
source = { registry = "https://index.example/simple" }

[[package]]
name = "checker"
version = "5.0"
source = { registry = "https://index.example/simple" }

[[package]]
name = "windows-only"
version = "6.0"
source = { registry = "https://index.example/simple" }

[[package]]
name = "from-git"
version = "7.0"
source = { git = "https://git.example/from-git#0123456789012345678901234567890123456789" }

[[package]]
name = "not-needed"
version = "8.0"
source = { registry = "https://index.example/simple" }
"""

PYLOCK = """
lock-version = "1.0"
created-by = "somebody"
default-groups = ["dev"]

[[packages]]
name = "demo"
version = "1.10"
sdist = { url = "https://index.example/demo-1.10.tar.gz", hashes = { sha256 = "00" } }

[[packages]]
name = "old-python"
version = "1.0"
marker = "python_version < '3.9'"
sdist = { url = "https://index.example/old_python-1.0.tar.gz", hashes = { sha256 = "00" } }

[[packages]]
name = "of-the-default-group"
version = "2.0"
marker = "'dev' in dependency_groups"
sdist = { url = "https://index.example/of_the_default_group-2.0.tar.gz", hashes = { sha256 = "00" } }

[[packages]]
name = "here"
directory = { path = "." }
"""


POETRY_LOCK = """
[[package]]
name = "Demo"
version = "1.10"
groups = ["main"]
files = []

[[package]]
name = "loader"
version = "6.0"
groups = ["load"]
files = []

[[package]]
name = "old-python"
version = "1.0"
groups = ["main", "load"]
markers = { main = "python_version < '3.9'", load = "python_version < '3.8'" }
files = []

[[package]]
name = "windows-only"
version = "3.0"
groups = ["main"]
markers = "sys_platform == 'win32'"
files = []

[[package]]
name = "from-git"
version = "0.1"
groups = ["main"]
files = []
[package.source]
type = "git"
url = "https://git.example/from-git"

[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "00"
"""


@pytest.fixture
def index(package_index):
    package_index.add("base", "3.0")
    package_index.add("base", "3.1")
    package_index.add("demo", "1.10", requires=["base"])
    package_index.add("hint", "1.0")
    package_index.add("hint", "2.0", requires=["base<3.1"])
    return package_index


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_what_uv_sync_would_install_is_read_from_a_uv_lock(tmp_path: Path) -> None:
    pins = read_pins(put(tmp_path, "uv.lock", UV_LOCK))
    assert pins.versions == {"base": "3.0", "checker": "5.0", "demo": "1.10", "speed": "2.0"}
    assert pins.left_out == ("from-git",)


def test_all_groups_of_a_lock_are_read_when_asked_for_and_those_that_conflict_leave_the_usual_ones(
    tmp_path: Path,
) -> None:
    lock = put(tmp_path, "uv.lock", UV_LOCK)
    usual = read_pins(lock).versions
    assert read_pins(lock, has_all_groups=True).versions == {**usual, "loader": "6.0"}
    conflicts = 'conflicts = [[{ package = "mine", group = "dev" }, { package = "mine", group = "load" }]]\n'
    lock = put(tmp_path, "uv.lock", UV_LOCK.replace("resolution-markers", f"{conflicts}resolution-markers", 1))
    assert read_pins(lock, has_all_groups=True).versions == usual


def test_all_groups_of_a_pylock_are_read_when_asked_for(tmp_path: Path) -> None:
    load = PYLOCK.replace('default-groups = ["dev"]', 'default-groups = ["dev"]\ndependency-groups = ["dev", "load"]')
    load = load.replace("'dev' in", "'load' in")
    lock = put(tmp_path, "pylock.load.toml", load)
    assert "of-the-default-group" not in read_pins(lock).versions
    assert read_pins(lock, has_all_groups=True).versions["of-the-default-group"] == "2.0"


def test_a_poetry_lock_is_read_for_this_interpreter(tmp_path: Path) -> None:
    lock = put(tmp_path, "poetry.lock", POETRY_LOCK)
    pins = read_pins(lock)
    assert pins.versions == {"demo": "1.10"}
    assert pins.left_out == ("from-git",)
    assert read_pins(lock, has_all_groups=True).versions == {"demo": "1.10", "loader": "6.0"}
    without_groups = "\n".join(line for line in POETRY_LOCK.splitlines() if not line.startswith("groups"))
    assert "loader" in read_pins(put(tmp_path, "poetry.lock", without_groups)).versions


def test_a_pylock_is_read_for_this_interpreter(tmp_path: Path) -> None:
    pins = read_pins(put(tmp_path, "pylock.load.toml", PYLOCK))
    assert pins.versions == {"demo": "1.10", "of-the-default-group": "2.0"}
    assert pins.left_out == ("here",)


@pytest.mark.usefixtures("index")
def test_a_requirements_file_is_resolved_and_what_no_index_has_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "more.txt", "hint\n")
    text = "demo==1.10  # as ever\n-r more.txt\n-e ./mine\nours @ git+https://git.example/ours\nmine @ file:///mine\n"
    pins = read_pins(put(tmp_path, "requirements.txt", text))
    assert pins.versions == {"base": "3.0", "demo": "1.10", "hint": "2.0"}
    assert len(pins.left_out) == 3


@pytest.mark.usefixtures("index")
def test_a_requirement_that_is_left_out_takes_the_lines_of_its_hashes_with_it(tmp_path: Path) -> None:
    text = "ours @ https://git.example/ours.zip \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\ndemo==1.10\n"
    pins = read_pins(put(tmp_path, "requirements.txt", text))
    assert pins.versions["demo"] == "1.10"
    assert len(pins.left_out) == 1


@pytest.mark.usefixtures("index")
def test_a_hint_holds_only_for_what_the_file_says_nothing_of(tmp_path: Path) -> None:
    file = put(tmp_path, "requirements.txt", "demo\n")
    assert read_pins(file, hints={"base": "3.0"}).versions["base"] == "3.0"
    file = put(tmp_path, "requirements.txt", "demo\nBase==3.1\n")
    assert read_pins(file, hints={"base": "3.0"}).versions["base"] == "3.1"


def test_an_environment_is_read_by_its_interpreter() -> None:
    pins = read_pins(Path(sys.executable))
    assert "pytest" in pins.versions
    assert "pip" not in pins.versions
    assert pins.python == f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("requirements.txt", "demo==9\n", "cannot be resolved"),
        ("requirements.txt", "\ud800", "cannot be read"),
        ("uv.lock", "version = 1\n", "is not a uv.lock, a pylock"),
        ("uv.lock", UV_LOCK.replace('name = "speed"\nversion', 'name = "gone"\nversion'), "unknown lock format"),
        ("pylock.toml", "lock-version = [", "is not a readable lock file"),
    ],
)
def test_what_cannot_be_read_says_so(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=said):
        read_pins(path)


def test_nothing_there_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="requirements file"):
        read_pins(tmp_path / "none.txt")
