"""A thin door: ``python cli.py …`` from a checkout."""

from repro.cli import main

if __name__ == "__main__":
    main()
