"""Every sample of output in the documents is what the program prints now for the stored run that it names."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from repro.presentation.reports.document import document
from repro.presentation.reports.report import report_of
from repro.world.runs.store import read_run
from repro.world.shipped.causes import known_causes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "samples"
PLACES = re.compile(r"/(?:home|root|tmp|work|Users|var)/|\b(?:fc|ip|vm)-[\w-]*\d|@[\w-]+\.(?:local|internal)")


@pytest.fixture(scope="module")
def samples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("samples", FOLDER / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(FOLDER))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def test_the_samples_are_what_is_printed_now(samples: ModuleType) -> None:
    differing = [path.name for path, text in samples.made().items() if path.read_text("utf-8") != text]
    assert differing == [], "run `python benchmarks/samples`, and read what changed"


@pytest.mark.parametrize("name", ["tutorial-run", "tutorial-gevent", "tutorial-bisect"])
def test_the_runs_of_the_tutorial_were_made_with_its_file_and_its_command(samples: ModuleType, name: str) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    (file,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with samples.unpacked(name) as folder:
        facts = dict(sys.modules["runs"].sqlite3.connect(folder / "run.sqlite").execute("SELECT * FROM facts"))
    assert json.loads(facts["inputs"])["file locustfile.py"] == hashlib.sha256(file.encode()).hexdigest()
    assert f"    {facts['command']}\n" in text


def test_every_stored_run_is_shown_and_every_sample_has_its_run(samples: ModuleType) -> None:
    shown = {found["name"] for path in samples.DOCUMENTS for found in samples.SAMPLE.finditer(path.read_text("utf-8"))}
    of_causes = {f"{samples.PREFIX}{cause.id}" for cause in known_causes()}
    assert shown | set(samples.REPORTED) | of_causes == set(sys.modules["runs"].names())


def test_a_sample_of_another_run_or_width_is_another_text(samples: ModuleType) -> None:
    head = "<!-- sample: {} {} last -->\n```text\n```\n"
    texts = {
        samples.sample(samples.SAMPLE.search(head.format(name, columns)))
        for name, columns in (("upgrade", 100), ("upgrade", 80), ("locust-2637", 100))
    }
    assert len(texts) == 3
    assert all("HANGS " in text for text in texts)


@pytest.mark.usefixtures("samples")
def test_stored_runs_name_neither_places_nor_hosts() -> None:
    runs = sys.modules["runs"]
    for name in runs.names():
        text = runs.dump_of(name)
        assert PLACES.findall(text) == []
        assert platform.node() not in text


def test_a_run_is_kept_without_its_place(samples: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = sys.modules["runs"]
    with samples.unpacked("upgrade") as folder:
        connection = runs.sqlite3.connect(folder / "run.sqlite")
        with connection:
            connection.execute("UPDATE facts SET value = value || ' --out /home/me/run' WHERE name = 'command'")
            connection.execute('INSERT INTO facts VALUES (\'machines\', \'[{"host": "mybox", "users": ["me"]}]\')')
            connection.execute(
                """UPDATE trials SET document = replace(document, '{"cell_id"', '{"machine": "mybox", "cell_id"')"""
            )
        connection.close()
        monkeypatch.setattr(runs, "KEPT", tmp_path)
        kept = runs.keep("upgrade", folder)
    assert kept.read_bytes() == (ROOT / "docs" / "examples" / "runs" / "upgrade.sql.gz").read_bytes()


@pytest.mark.parametrize("name", ["patched-too-late", "locust-2852", "locust-1251", "gevent-1865"])
def test_the_document_names_the_cause_of_a_crash_and_of_failing_calls_as_of_a_hang(
    samples: ModuleType, name: str
) -> None:
    with samples.unpacked(f"cause-{name}") as folder:
        cells = document(report_of(read_run(folder)))["cells"]
    assert [{trial["cause"] for trial in cell["trials"]} for cell in cells] == [{name}, {None}]
