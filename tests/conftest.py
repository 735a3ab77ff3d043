"""Environments with real releases, made once for all tests that try something on several of them."""

import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from repro.world import processes


@pytest.fixture(scope="session")
def environment_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``environment_with("3.8", "gevent==20.12.1")`` is the interpreter of an environment with these packages."""
    uv = Path(sys.executable).with_name("uv")

    @cache
    def made(python: str, *packages: str) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        interpreter = folder / "bin" / "python"
        for argv in (
            [uv, "venv", "--clear", "--python", find_python(python), folder],
            [uv, "pip", "install", "--python", interpreter, *packages],
        ):
            done = processes.run(argv, limit_s=120)
            assert done.returncode == 0, done.stderr
        return interpreter

    return made


def find_python(version: str) -> Path:
    """An interpreter of this version that runs: a shim of pyenv is there for versions that are not switched on too."""
    candidates = [Path(found)] if (found := shutil.which(f"python{version}")) else []
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in candidates:
        if processes.run([candidate, "-c", "import sys"], limit_s=20).returncode == 0:
            return candidate
    pytest.fail(f"install Python {version}: this has to be tried on it")
