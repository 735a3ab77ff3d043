"""What is copied of the folder in which a command is typed, and that nothing written there reaches it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from repro.errors import UsageError
from repro.world.commands import folder as rooms
from repro.world.commands.folder import copy_folder, folder_of, private_copy
from repro.world.processes import door


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(root: Path, *words: str) -> None:
    done = door.run(["git", "-C", str(root), *words], limit_s=20)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = tmp_path / "project"
    write(root, load__locustfile_py="x = 1", load__data="1", app__core_py="y = 2", secret="s", new="n")
    (root / ".gitignore").write_text("secret\nrepro-runs/\n")
    git(root, "init", "-q")
    git(root, "add", "load", "app", ".gitignore")
    return root


def test_in_a_repository_it_is_what_git_tracks_or_does_not_ignore_from_its_root(repository: Path) -> None:
    found = folder_of(repository / "load")
    assert (found.root, found.place, found.is_git) == (repository, "load", True)
    (repository / "env").mkdir()
    (repository / "env" / "pyvenv.cfg").write_text("")  # not every environment is ignored
    (repository / "an-old-run" / "folder").mkdir(parents=True)
    (repository / "an-old-run" / "run.sqlite").write_text("")
    (repository / "an-old-run" / "folder" / "a.py").write_text("")
    assert folder_of(repository / "load").files == found.files
    assert sorted(found.files) == [".gitignore", "app/core.py", "load/data", "load/locustfile.py", "new"]
    assert folder_of(repository).place == ""
    assert "secret" in found.with_files(["secret"]).files


def test_elsewhere_it_is_everything_but_environments_caches_and_runs(tmp_path: Path) -> None:
    write(tmp_path, a_py="1", b__c="2", venv__pyvenv="", __pycache__x="", old__run="")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    (tmp_path / "old" / "run.sqlite").write_text("")
    (tmp_path / "node_modules" / "m").mkdir(parents=True)
    (tmp_path / "node_modules" / "m" / "x.js").write_text("")
    found = folder_of(tmp_path)
    assert {"a.py", "b/c"} <= set(found.files)
    assert not [name for name in found.files if name.startswith(("venv/", "old/", "node_modules/"))]
    assert not found.is_git


def test_what_a_trial_writes_reaches_neither_the_users_files_nor_the_next_trial(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    write(root, a="old", sub__b="b")
    write(outside, far="far", tree__leaf="leaf")
    (root / "near").symlink_to(root / "a")
    (root / "away").symlink_to(outside / "far")
    (root / "branch").symlink_to(outside / "tree")
    (root / "gone").symlink_to(outside / "nowhere")
    copy_folder(folder_of(root), tmp_path / "kept")
    private_copy(tmp_path / "kept", tmp_path / "trial")
    trial = tmp_path / "trial"
    assert (trial / "away").read_text() == "far"
    assert (trial / "branch" / "leaf").read_text() == "leaf"
    for name in ("near", "away", "branch/leaf", "sub/b"):
        (trial / name).write_text("new")
    assert (trial / "a").read_text() == "new"  # a link within the folder stays one
    assert not os.path.lexists(trial / "gone")
    assert (root / "a").read_text() == "old"
    assert (tmp_path / "kept" / "a").read_text() == "old"
    assert (outside / "far").read_text() == "far"
    assert (outside / "tree" / "leaf").read_text() == "leaf"


def test_a_dotenv_is_copied_without_what_is_awss_own(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / ".env").write_text("QUEUE=q\nexport AWS_SECRET_ACCESS_KEY=abc\nAWS_PROFILE = prod\nAWS_QUEUE=mine\n")
    copy_folder(folder_of(root), tmp_path / "kept")
    assert (tmp_path / "kept" / ".env").read_text() == "QUEUE=q\nAWS_QUEUE=mine\n"


def test_a_folder_of_10_gb_is_refused_before_anything_is_copied(tmp_path: Path) -> None:
    write(tmp_path, a_py="1")
    with (tmp_path / "recording.bin").open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: it takes no room here
    with pytest.raises(UsageError, match=r"more than 500 MB .*recording.bin alone has 10,000 MB.*type the command in"):
        folder_of(tmp_path)


def test_a_repository_too_large_is_copied_from_the_folder_on(repository: Path) -> None:
    with (repository / "huge.bin").open("wb") as file:
        file.truncate(rooms.MOST_BYTES + 1)
    found = folder_of(repository / "load")
    assert (found.root, found.too_large) == (repository / "load", repository)
    assert sorted(found.files) == ["data", "locustfile.py"]
    with pytest.raises(UsageError, match=r"add what the load does not need to \.gitignore"):
        folder_of(repository)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MOST_FILES", 2)
    write(tmp_path, a="", b="", c="")
    with pytest.raises(UsageError, match="more than 2 files"):
        folder_of(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "root", a="1")
    found = folder_of(tmp_path / "root")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "copy2", refuse)
    with pytest.raises(UsageError, match="/a cannot be copied for the trials: Permission denied"):
        copy_folder(found, tmp_path / "kept")


def test_folders_that_a_load_writes_to_are_there_though_git_knows_nothing_of_them(
    repository: Path, tmp_path: Path
) -> None:
    for name in ("results/csv", "logs", ".venv/lib", "node_modules/m"):
        (repository / name).mkdir(parents=True)
    (repository / ".venv" / "pyvenv.cfg").write_text("")
    (repository / ".gitignore").write_text("results/\nlogs/\n.venv\nnode_modules\n")
    (repository / "results" / "csv" / "old.csv").write_text("1")
    copy_folder(folder_of(repository), tmp_path / "copy")
    assert (tmp_path / "copy" / "results" / "csv").is_dir()
    assert (tmp_path / "copy" / "logs").is_dir()
    assert not list((tmp_path / "copy").glob("**/old.csv"))
    assert not (tmp_path / "copy" / ".venv").exists()
    assert not (tmp_path / "copy" / "node_modules").exists()
