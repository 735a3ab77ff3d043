"""A locustfile is read and kept with the modules beside it, those they import in turn, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.world.runs.kept.locustfile import digests, keep, kept, read_locustfile


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


@pytest.mark.parametrize(
    "raw",
    [
        "# coding: latin-1\nimport one\nx = 'ü'\n".encode("latin-1"),
        "\ufeffimport one\nx = 'ü'\n".encode(),
        "import one\r\nx = 'ü'\r\n".encode(),
        "#!/usr/bin/env python\n# vim: set fileencoding=cp1251 :\nimport one\nx = 'ж'\n".encode("cp1251"),
    ],
)
def test_a_text_is_read_as_python_reads_it_and_kept_byte_by_byte(raw: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "own", one="y = 1\n")
    path.write_bytes(raw)
    found = read_locustfile(path)
    assert found.source.endswith(("x = 'ü'\n", "x = 'ж'\n"))
    assert set(found.modules) == {"one"}
    keep(path, tmp_path)
    place = kept(tmp_path)
    assert place is not None
    assert place.read_bytes() == raw
    assert read_locustfile(place) == found


def test_the_digests_change_with_every_file_of_the_load_and_with_no_other(tmp_path: Path) -> None:
    path = written(tmp_path, mine="import one, parts\nfrom bare.inner import x\n", one="import two\n", two="", other="")
    written(tmp_path / "parts", __init__="", below="")
    written(tmp_path / "bare", inner="x = 1\n")
    before = digests(path)
    assert next(iter(before)) == "mine.py"
    assert set(before) == {"mine.py", "one.py", "two.py", "parts/__init__.py", "parts/below.py", "bare/inner.py"}
    for name in before:
        (tmp_path / name).write_bytes(b"\xff" + (tmp_path / name).read_bytes())
        assert digests(path)[name] != before[name]
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[1:])
    (tmp_path / "other.py").write_text("changed = 1\n")
    assert digests(path) == before


@pytest.mark.parametrize(
    "raw", [b"x = '\xff'\n", b"x = (\n", b"x = 1\0\n", b"# coding: no-such\n", b"-" * 100_000 + b"1\n"]
)
def test_what_is_not_python_counts_with_its_bytes(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(raw)
    before = digests(path)
    keep(path, tmp_path / "run")
    path.write_bytes(raw + b"#")
    assert digests(path) != before
