"""``python -m repro``: the same as ``repro``."""

from repro.cli import main

if __name__ == "__main__":
    main()
