"""The command line as it is typed, without the time that an interpreter takes to import it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROMPT = Path(__file__).parent / "children" / "prompt.py"
SCRIPT = Path(sys.executable).with_name("repro")


@pytest.fixture(scope="session")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """``typed("list", "runs", folder=here, COLUMNS="200")`` is what ``repro list runs`` does there: a process of its own."""
    outputs = [tmp_path_factory.mktemp("typed") / name for name in ("stdout", "stderr")]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, PROMPT], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as prompt:

        def answer(*words: str | Path, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
            argv = [str(SCRIPT), *map(str, words)]
            for path in outputs:
                path.write_bytes(b"")
            asked = {
                "argv": argv,
                "cwd": str(folder),
                "env": {**os.environ, "COLUMNS": "200", **env},
                "stdout": str(outputs[0]),
                "stderr": str(outputs[1]),
            }
            print(json.dumps(asked), file=prompt.stdin, flush=True)
            code = int(prompt.stdout.readline())
            return subprocess.CompletedProcess(argv, code, *(path.read_text("utf-8") for path in outputs))

        yield answer
        prompt.stdin.close()
