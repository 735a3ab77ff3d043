"""``repro`` as a shell starts it, many times over: what it imports is imported once, and each command line is a fork.

A line on standard input is ``{"argv": …, "cwd": …, "env": …, "stdout": FILE, "stderr": FILE}``; the answer is a line with the
exit code, negative for a signal. Nothing else has happened in this process: no test, no plug-in, no thread.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

from repro.cli import _COMMANDS, main


def become(asked: dict[str, object]) -> None:
    """Be a fresh ``repro`` with these words, streams, folder and variables."""
    code: object = 70
    try:
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            os.dup2(os.open(asked[name], os.O_WRONLY), descriptor)
        sys.argv = asked["argv"]
        main()
    except SystemExit as end:
        code = end.code or 0
    except Exception:  # noqa: BLE001  # as an interpreter does
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code if isinstance(code, int) else 1)


LATE = """cli.failure core.scrubbing.terminal orchestration.preparation orchestration.session presentation.console
    world.environments.cache world.runs.store"""
for module in [*(module for module, _ in _COMMANDS.values()), *(f"repro.{name}" for name in LATE.split())]:
    importlib.import_module(module)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        become(json.loads(line))
    sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
    sys.stdout.flush()
