"""Ends what a dead program left: started by ``processes.warded`` as ``warden.py MARK [FOLDER…]``.

Reads its standard input, which nobody writes to, until its end: then the program has gone, be it by its own will or
by ``kill -9``. What still carries its mark is killed and the temporary folders are removed.
"""

import contextlib
import os
import shutil
import sys
import time

import psutil

sys.path.append(os.path.dirname(__file__))  # noqa: PTH120  # by path, so that it starts without importing `repro`
import marks

END_LIMIT_S = 10.0


def main(mark: str, folders: list[str]) -> None:
    """Wait for the end of the program, then tidy up."""
    while os.read(0, 4096):
        pass
    deadline = time.monotonic() + END_LIMIT_S
    while (found := marks.marked(mark)) and time.monotonic() < deadline:
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.02)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
