"""What goes into a reproducer, and the search for the smallest one that still shows the hang."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from repro.model import Level

ALWAYS = frozenset({"gevent", "urllib3", "boto3", "locust"})
"""What the load imports or stands on; the others are tried without at once."""


NEEDED = frozenset({"REPRO_QUEUE"})
"""Variables without which a locustfile does not find its queue."""

PLAIN: Mapping[str, Level] = {"launch": "cli", "import_order": "locust-first", "client": "shared", "think_time": 0, "wait_time_seconds": 0}  # fmt: skip
"""What a reader expects to see; a recipe says otherwise only where it matters."""

OF_THE_PATTERN = frozenset({"import_order", "client", "think_time", "wait_time_seconds"})
"""Those of them that a locustfile of its own decides by itself."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What goes into a reproducer: the interpreter (``3.11``), pins, settings that matter, and the load.

    ``options`` are those of botocore's ``Config``; ``source`` is somebody's own locustfile, empty for the report's
    pattern; ``modules`` are the texts of its own modules, ``variables`` the environment variables that it reads.
    ``stall`` are the seconds without an end of a task from which a user is stuck, 0 where only who outlives the stop is.
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
    stall: float = 0
    source: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def reduced(
    recipe: Recipe,
    *,
    explicit: Collection[str],
    hangs: Callable[[Recipe], bool],
    hangs_surely: Callable[[Recipe], bool],
    say: Callable[[str], None],
) -> Recipe:
    """The recipe without what it does not need; ``hangs`` tries one and says whether it still shows the hang.

    ``explicit`` are the packages that the experiment pinned. All others go at once where that is possible, else half of
    them, and so on; then every pin that is left and every option alone. A setting without which the hang comes more seldom
    matters too: ``hangs_surely`` says whether it comes every time.
    """
    bystanders = tuple(sorted(name for name in recipe.pins if name not in ALWAYS and name not in explicit))
    recipe = _without(recipe, bystanders, hangs=hangs, say=say)
    for name in sorted(set(recipe.pins) - set(bystanders), key=lambda name: (name in explicit, name)):
        recipe = _without(recipe, (name,), hangs=hangs, say=say)
    for words, part, what in _simpler(recipe):
        value = _less(getattr(recipe, part), str(what)) if part in {"options", "variables"} else what
        change: dict[str, Any] = {part: value}
        smaller = replace(recipe, **change)
        say(words)
        recipe = smaller if hangs_surely(smaller) else recipe
    return recipe


def _simpler(recipe: Recipe) -> list[tuple[str, str, Level]]:
    """What may be left out of a recipe beside pins, in words; of which of its parts; and its name there or a plainer value."""
    steps: list[tuple[str, str, Level]] = [(f"without {name}", "options", name) for name in recipe.options]
    steps += [(f"without {name}", "variables", name) for name in recipe.variables if name not in NEEDED]
    plain = {name: level for name, level in PLAIN.items() if not (recipe.source and name in OF_THE_PATTERN)}
    return [
        *steps,
        *((f"with {name}={level}", name, level) for name, level in plain.items() if getattr(recipe, name) != level),
    ]


def _less(some: Mapping[str, T], name: str) -> dict[str, T]:
    return {key: value for key, value in some.items() if key != name}


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
