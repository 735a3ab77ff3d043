"""What the code at a line may hold: certain by its ``with`` blocks, likely by an ``acquire`` that it has passed."""

import importlib.util
import textwrap
from pathlib import Path

import pytest

AGENT = Path(__file__).parents[3] / "repro" / "agent"


def held(folder: Path, text: str) -> list[tuple[str, bool]]:
    """What is held at the line that says HERE."""
    spec = importlib.util.spec_from_file_location("sources_under_test", AGENT / "stacks" / "sources.py")
    assert spec is not None
    assert spec.loader is not None
    sources = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sources)
    path = folder / "held.py"
    path.write_text(textwrap.dedent(text))
    number = next(number for number, line in enumerate(path.read_text().split("\n"), 1) if "HERE" in line)
    return sources.held_expressions(str(path), number, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    with lock:\n        work()  # HERE", [("lock", True)]),
        ("def f():\n    lock.acquire()\n    work()  # HERE", [("lock", False)]),
        ("def f():\n    lock.acquire()\n    try:\n        work()  # HERE\n    finally:\n        lock.release()", [("lock", False)]),
        ("def f():\n    if lock.acquire(timeout=1):\n        work()  # HERE", [("lock", False)]),
        ("def f():\n    if x: lock.acquire()\n    work()  # HERE", []),
        ("def f():\n    if x:\n        lock.acquire()\n    work()  # HERE", []),
        ("def f():\n    lock.acquire()\n    lock.release()\n    work()  # HERE", []),
        ("def f():\n    lock.acquire()\n    if x:\n        lock.release()\n    work()  # HERE", []),
        ("def f():\n    with lock: work()  # HERE", [("lock", True)]),
        ("def f():\n    with HERE:\n        work()", []),
        ("def f():\n    with a:\n        with b:\n            done()\n        work()  # HERE", [("a", True)]),
    ],
)  # fmt: skip
def test_a_line_holds_what_it_has_passed(tmp_path: Path, text: str, expected: list[tuple[str, bool]]) -> None:
    assert held(tmp_path, text) == expected
