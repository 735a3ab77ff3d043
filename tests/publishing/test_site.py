"""The site of the documents: it is built without a broken link, and a broken one would be found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 180.0


def test_the_site_is_built_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "publishing" / "site", tmp_path / "site"],
        env={**os.environ, "REPRO_VENV": sys.prefix},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first = (tmp_path / "site" / "index.html").read_text()
    assert "docs/examples/locust-2637.html" in first
    pages = {path.relative_to(ROOT).with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    built = {page: page.parent if page.name == "index" else page for page in pages}
    assert [page for page in pages if not (tmp_path / "site" / built[page] / "index.html").is_file()] == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<a href="there.html">x</a> <a href="https://example.org/">x</a> <a href="#here">x</a>', ""),
        ('<a href="gone.html">x</a>', "index.html links to gone.html, which is not there"),
        ('<a href="folder/">x</a>', "index.html links to folder/, which is not there"),
        (
            '<script src="https://example.org/a.js"></script>',
            "index.html loads https://example.org/a.js from another host",
        ),
    ],
)
def test_a_broken_link_and_a_foreign_host_are_named(page: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("")
    (tmp_path / "index.html").write_text(page)
    words = [sys.executable, ROOT / "publishing" / "links.py", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.stderr.strip(), done.returncode) == (said, 1 if said else 0)
