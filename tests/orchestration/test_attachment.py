"""What is read of a process beside its memory, where somebody else may be writing at the same moment."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from repro.orchestration import attachment


@pytest.mark.parametrize("half_written", ["", "Metadata-Version: 2.1\n", "Metadata-Version: 2.1\nName: half\n"])
@pytest.mark.parametrize("library", ["importlib.metadata", "importlib_metadata"])
def test_a_distribution_that_is_being_installed_is_left_out(library: str, half_written: str, tmp_path: Path) -> None:
    pytest.importorskip(library)  # the second reads for the first once it is there
    for name, text in (("half-1", half_written), ("gevent-26.8.0", "Name: Gevent\nVersion: 26.8.0\n")):
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(text)
    reader: Any = SimpleNamespace(packages=str(tmp_path))
    assert attachment._packages(reader) == {"gevent": "26.8.0"}
