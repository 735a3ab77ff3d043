"""Evidence and loads on their way between machines: whole where they fit, bounded where not, and never outside."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from repro.command import CommandInFolder, CommandLine, Program
from repro.errors import UsageError
from repro.model import TrialOptions
from repro.orchestration.workers import load
from repro.orchestration.workers.load import packed, unpacked
from repro.orchestration.workers.parcel import LEFT_BEHIND, Parcel, files_in, pack, unpack


def test_files_arrive_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "one.txt").write_bytes(b"\0\xff")
    (tmp_path / "a" / "deep" / "two.txt").write_text("two")
    parcel = pack(files_in(tmp_path / "a"), most_bytes=1000)
    unpack(parcel, tmp_path / "b")
    assert (tmp_path / "b" / "one.txt").read_bytes() == b"\0\xff"
    assert (tmp_path / "b" / "deep" / "two.txt").read_text() == "two"
    assert not (tmp_path / "b" / LEFT_BEHIND).exists()


def test_what_is_too_large_stays_behind_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "stacks.txt").write_text("who waits for whom")
    (tmp_path / "requests.jsonl").write_bytes(b"x" * 5000)
    parcel = pack(files_in(tmp_path), most_bytes=4000)
    assert len(parcel.content) < 1000
    unpack(parcel, tmp_path / "there")
    assert [path.name for path in sorted((tmp_path / "there").iterdir())] == [LEFT_BEHIND, "stacks.txt"]
    assert (tmp_path / "there" / LEFT_BEHIND).read_text() == "requests.jsonl\n"


def test_nothing_is_written_outside_of_the_folder(tmp_path: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../escaped.txt"))
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(Parcel(target.getvalue()), tmp_path / "inner")
    assert not (tmp_path / "escaped.txt").exists()


def test_a_locustfile_travels_with_its_own_modules(tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / "parts").mkdir(parents=True)
    (here / "mine.py").write_text("import one\nfrom parts import two\n")
    (here / "one.py").write_text("ONE = 1\n")
    (here / "parts" / "two.py").write_text("TWO = 2\n")
    options = TrialOptions(locustfile=here / "mine.py")
    sent = packed(options)
    assert unpacked(sent, tmp_path / "unused").locustfile == here / "mine.py", "used where it is, data beside it too"
    (here / "one.py").write_text("ONE = 'another'\n")
    arrived = unpacked(sent, tmp_path / "there").locustfile
    assert arrived.is_relative_to(tmp_path / "there")
    assert (arrived.parent / "one.py").read_text() == "ONE = 1\n"
    assert (arrived.parent / "parts" / "two.py").read_text() == "TWO = 2\n"


def command_in(folder: Path, home: Path) -> TrialOptions:
    line = CommandLine(words=("python", "go.py"), program=Program.FILE, name="python", target="go.py")
    return TrialOptions(
        locustfile=Path(), command=CommandInFolder(line=line, folder=folder, place="load", home=(home,))
    )


def test_a_command_travels_with_its_whole_folder(tmp_path: Path) -> None:
    folder, home = tmp_path / "folder", tmp_path / ".locust.conf"
    (folder / "load").mkdir(parents=True)
    (folder / "load" / "go.py").write_text("print(1)\n")
    (folder / "users.csv").write_text("ada\n")
    (folder / "load" / "link.csv").symlink_to("../users.csv")
    home.write_text("users = 3\n")
    command = unpacked(packed(command_in(folder, home)), tmp_path / "there").command
    assert command is not None
    assert command.folder.is_relative_to(tmp_path / "there")
    assert (command.folder / command.place / "link.csv").read_text() == "ada\n"
    assert command.home[0].read_text() == "users = 3\n"


def test_a_load_that_is_too_large_is_refused_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder" / "load").mkdir(parents=True)
    (tmp_path / "folder" / "big.bin").write_bytes(b"x" * 5000)
    (tmp_path / "home").touch()
    monkeypatch.setattr(load, "MOST_BYTES", 1000)
    with pytest.raises(UsageError, match=r"big\.bin does not fit; add what the load does not need to \.gitignore"):
        packed(command_in(tmp_path / "folder", tmp_path / "home"))
