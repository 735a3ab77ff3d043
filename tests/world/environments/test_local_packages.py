"""What no index has, editable and local packages: kept apart from the others, and taken over as it is installed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from repro.model import BaseEnvironment
from repro.world.environments.base import copy_local, read_base

FILES = {
    "_mine.pth": "{source}\n",
    "mine_plain.py": "VALUE = 1\n",
    "mine-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: Mine\nVersion: 0.1\nRequires-Dist: pip\n",
    "mine-0.1.dist-info/direct_url.json": '{"url": "file:///somewhere", "dir_info": {"editable": true}}',
    "../../../bin/minetool": "#!{python}\nprint(1)\n",
    "../../../bin/data": "not a script\n",
}


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BaseEnvironment:
    """This interpreter's environment, with a project beside it that is linked by its own file."""
    site = tmp_path / "theirs" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    for name, text in FILES.items():
        path = site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{source}", str(tmp_path)).replace("{python}", sys.executable))
    escaping = "../../../../outside.txt"
    (site / escaping).write_text("beyond the environment\n")
    (site / "mine-0.1.dist-info" / "RECORD").write_text(
        "".join(f"{name},,\n" for name in (*FILES, escaping, "gone.py"))
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    return read_base(Path(sys.executable))


def test_a_package_with_an_address_of_its_own_is_local_and_what_it_needs_is_kept(base: BaseEnvironment) -> None:
    assert "mine" in base.local
    assert "mine" not in base.versions
    assert base.versions["click"]
    assert base.interpreter == Path(sys.executable)


def test_its_digest_changes_with_what_is_installed(base: BaseEnvironment, tmp_path: Path) -> None:
    record = next(tmp_path.glob("theirs/lib/*/site-packages/mine-0.1.dist-info/RECORD"))
    record.write_text(record.read_text() + "more.py,,\n")
    assert read_base(Path(sys.executable)).local["mine"] != base.local["mine"]


def test_it_is_copied_file_by_file_and_its_script_runs_with_the_new_interpreter(
    base: BaseEnvironment, tmp_path: Path
) -> None:
    made = tmp_path / "ours" / "env"
    site = made / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (made / "bin").mkdir()
    copy_local(replace(base, local={"mine": base.local["mine"]}), made)
    assert (site / "_mine.pth").read_text() == f"{tmp_path}\n"
    assert (site / "mine-0.1.dist-info" / "METADATA").is_file()
    assert (made / "bin" / "minetool").read_text() == f"#!{made}/bin/python\nprint(1)\n"
    assert (made / "bin" / "data").read_text() == "not a script\n"
    assert not list(tmp_path.glob("ours/outside.txt"))
