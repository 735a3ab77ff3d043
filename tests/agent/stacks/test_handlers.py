"""Which handler swallows a GreenletExit: real functions, left by one that is raised at the line in question."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from greenlet import GreenletExit

AGENT = Path(__file__).parents[3] / "repro" / "agent"

CASES = {
    "bare": "try:\n    call()\nexcept:\n    log()",
    "base": "try:\n    call()\nexcept ValueError:\n    raise\nexcept BaseException as error:\n    log(error)",
    "named": "for _ in range(2):\n    try:\n        call()\n    except (OSError, GreenletExit):\n        log()",
    "around": "try:\n    with open(__file__):\n        try:\n            call()\n        except OSError:\n            pass\nexcept:\n    pass",
    "finally": "try:\n    try:\n        call()\n    finally:\n        log()\nexcept:  # whatever it was\n    log()",
    "nothing": "call()",
    "ordinary": "try:\n    call()\nexcept Exception:\n    log()",
    "again": "try:\n    call()\nexcept BaseException:\n    log()\n    raise",
    "first": "try:\n    call()\nexcept GreenletExit:\n    raise\nexcept:\n    log()",
    "beside": "try:\n    log()\nexcept:\n    log()\ncall()",
    "else": "try:\n    log()\nexcept:\n    log()\nelse:\n    call()",
}


@pytest.fixture
def handler_line(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str], int, int], int]:
    """The agent's function, from a package made by hand as in a cell."""
    package = ModuleType("repro_agent")
    package.__path__ = [str(AGENT)]
    monkeypatch.setitem(sys.modules, "repro_agent", package)
    for name in ("repro_agent.stacks", "repro_agent.stacks.sources", "repro_agent.stacks.handlers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found: Callable[[list[str], int, int], int] = importlib.import_module("repro_agent.stacks.handlers").handler_line
    for name in ("repro_agent.stacks", "repro_agent.stacks.sources", "repro_agent.stacks.handlers"):
        monkeypatch.delitem(sys.modules, name)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_handler_is_named_where_the_function_survives_and_only_there(
    name: str, tmp_path: Path, handler_line: Callable[[list[str], int, int], int]
) -> None:
    source = "def work(call, log):\n" + "\n".join(f"    {line}" for line in CASES[name].splitlines()) + "\n"
    path = tmp_path / "work.py"
    path.write_text(source)
    space: dict[str, object] = {"GreenletExit": GreenletExit, "__file__": str(path)}
    exec(compile(source, str(path), "exec"), space)  # noqa: S102  # this test's own source

    def call() -> None:
        raise GreenletExit

    try:
        space["work"](call, lambda *_: None)  # type: ignore[operator]  # it is the function of that source
        survives = True
    except GreenletExit:
        survives = False
    lines = source.split("\n")
    number = next(index for index, line in enumerate(lines, 1) if line.strip() == "call()")
    found = handler_line(lines, number, 1)
    assert bool(found) is survives
    assert not found or lines[found - 1].strip().startswith("except")
