"""What goes into a reproducer, and the search for the smallest one that still shows the hang."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from repro.model import Level

ALWAYS = frozenset({"gevent", "urllib3", "boto3", "locust"})
"""What the load imports or stands on; the others are tried without at once."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What goes into a reproducer: the interpreter (``3.11``), pins, settings that matter, and the load.

    ``options`` are those of botocore's ``Config``; ``source`` is somebody's own locustfile, empty for the report's
    pattern; ``variables`` are the environment variables that it reads.
    """

    title: str
    python: str
    pins: Mapping[str, str]
    client: str = "per-iteration"
    launch: str = "cli"
    import_order: str = "locust-first"
    options: Mapping[str, Level] = field(default_factory=dict)
    users: int = 200
    seconds: float = 8
    grace: float = 5
    think_time: float = 0
    wait_time_seconds: int = 0
    source: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


def reduced(
    recipe: Recipe, *, explicit: Collection[str], hangs: Callable[[Recipe], bool], say: Callable[[str], None]
) -> Recipe:
    """The recipe without what it does not need; ``hangs`` tries one and says whether it still shows the hang.

    ``explicit`` are the packages that the experiment pinned. All others go at once where that is possible, else half of
    them, and so on; then every pin that is left and every option alone.
    """
    bystanders = tuple(sorted(name for name in recipe.pins if name not in ALWAYS and name not in explicit))
    recipe = _without(recipe, bystanders, hangs=hangs, say=say)
    for name in sorted(set(recipe.pins) - set(bystanders), key=lambda name: (name in explicit, name)):
        recipe = _without(recipe, (name,), hangs=hangs, say=say)
    for name in tuple(recipe.options):
        smaller = replace(recipe, options={key: level for key, level in recipe.options.items() if key != name})
        say(f"without {name}")
        recipe = smaller if hangs(smaller) else recipe
    return recipe


def _without(
    recipe: Recipe, names: tuple[str, ...], *, hangs: Callable[[Recipe], bool], say: Callable[[str], None]
) -> Recipe:
    """The recipe without those pins of ``names`` that it does not need: all at once, else each half of them."""
    if not names:
        return recipe
    smaller = replace(recipe, pins={name: version for name, version in recipe.pins.items() if name not in names})
    say(f"{len(smaller.pins)} pins, without {names[0] if len(names) == 1 else f'{len(names)} of them'}")
    if hangs(smaller):
        return smaller
    if len(names) == 1:
        return recipe
    middle = len(names) // 2
    recipe = _without(recipe, names[:middle], hangs=hangs, say=say)
    return _without(recipe, names[middle:], hangs=hangs, say=say)
