"""A locustfile is read and kept with the modules beside it, those they import in turn, and no others."""

from __future__ import annotations

from pathlib import Path

from repro.world.locustfiles import keep, kept, read_locustfile


def written(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder / "mine.py"


def test_its_own_modules_come_along_and_others_do_not(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        mine="import os, boto3\nfrom one import x\n",
        one="import two.y, json\n",
        two="y = 1\n",
        three="",
        json="",
    )
    found = read_locustfile(path)
    assert found.source.startswith("import os")
    assert set(found.modules) == {"one", "two"}
    assert found.packages == ()


def test_a_package_of_its_own_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, mine="from parts.of import it\n")
    written(tmp_path / "parts", __init__="")
    assert read_locustfile(path).packages == ("parts",)


def test_the_folder_above_counts_where_the_locustfile_says_so(tmp_path: Path) -> None:
    written(tmp_path, shared="z = 1\n")
    path = written(tmp_path / "below", mine="import sys\nsys.path.insert(0, '..')\nimport shared\n")
    assert set(read_locustfile(path).modules) == {"shared"}
    assert read_locustfile(written(tmp_path / "below", mine="import shared\n")).modules == {}


def test_modules_that_import_each_other_are_read_once(tmp_path: Path) -> None:
    path = written(tmp_path, mine="import one\n", one="import two\n", two="import one, mine\n")
    assert set(read_locustfile(path).modules) == {"one", "two"}


def test_a_run_keeps_it_as_it_was(tmp_path: Path) -> None:
    path = written(tmp_path / "own", mine="import one\n", one="x = 1\n")
    run = tmp_path / "run"
    run.mkdir()
    assert kept(run) is None
    keep(path, run)
    before = read_locustfile(path)
    written(tmp_path / "own", mine="changed = 1\n", one="")
    found = kept(run)
    assert found is not None
    assert read_locustfile(found) == before


def test_what_is_no_python_is_not_kept_and_stops_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "own", mine="x = (\n")
    keep(path, tmp_path)
    assert kept(tmp_path) is None
