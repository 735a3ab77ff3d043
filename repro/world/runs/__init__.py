"""A run's folder: the store, its evidence, and the locustfile that was run."""

from pathlib import Path

RUNS = Path("repro-runs")
"""Where runs lie, below the folder in which the program is started, unless they are told another place."""
