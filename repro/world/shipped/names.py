"""Where the scenarios lie, and the names of them and of their experiments: found without reading what they say."""

from __future__ import annotations

from pathlib import Path

from repro.world.shipped.truths import experiments_of, read_truths, table

DEFAULT = "locust-2637"
"""The experiment of a run without any."""
SINGLE = f"{DEFAULT}/single"
"""The experiment of a hunt without any."""
DESCRIPTION, MAIN = "scenario.toml", "experiment.toml"


def root() -> Path:
    """The folder of the scenarios: inside the package when it was installed, else beside it in the checkout."""
    package = Path(__file__).parents[2]
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


def list_scenarios() -> tuple[str, ...]:
    """The names of all scenarios."""
    return tuple(
        sorted([*(str(path.parent.relative_to(root())) for path in root().rglob(DESCRIPTION)), *read_truths(root())])
    )


def list_experiments() -> tuple[str, ...]:
    """The names of all experiments, the scenarios' default ones included."""
    found = list(experiments_of(root()))
    for path in root().rglob("*.toml"):
        if path not in {path.with_name(DESCRIPTION), table(root())}:
            folder = str(path.parent.relative_to(root()))
            found.append(folder if path.name == MAIN else f"{folder}/{path.stem}")
    return tuple(sorted(found))


def experiment_file(name: str) -> Path:
    """Where an experiment of this name lies that is not a planted truth's: a path of its own, or one of ours."""
    if name.endswith(".toml"):
        return Path(name)
    return next((path for path in (root() / name / MAIN, root() / f"{name}.toml") if path.is_file()), root() / name)
