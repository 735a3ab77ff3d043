"""What a report says of where its run lies."""

from pathlib import Path

import pytest

from repro.world.runs.this_machine import redacted_place


def test_a_run_below_the_current_folder_is_named_as_it_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repro-runs" / "one").mkdir(parents=True)
    assert redacted_place(Path("repro-runs/one")) == "repro-runs/one"
    assert (Path(redacted_place(tmp_path / "repro-runs" / "one"))).is_dir()


def test_a_run_elsewhere_does_not_say_whose_home_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "here", tmp_path / "alice"
    for folder in (here, home / "run"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    place = redacted_place(home / "run")
    assert "alice" not in place
    assert place.endswith("/run")
