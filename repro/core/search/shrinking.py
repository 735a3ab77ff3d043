"""What goes into a reproducer, and the search for the smallest one that still shows the hang."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from repro.core.experiment.factors.catalogue import COMMON, Catalogue
from repro.core.experiment.factors.factor import Reader
from repro.core.experiment.factors.level_text import typed
from repro.model import Level

STANDS_ON = frozenset({"gevent", "urllib3", "boto3", "locust"})
"""What the load imports or stands on; the others are tried without at once."""

QUEUE = "REPRO_QUEUE"
"""The variable without which a locustfile does not find its queue."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What goes into a reproducer: the interpreter (``3.11``), pins, settings that matter, and the load.

    ``settings`` are those that are not at their defaults; ``source`` is somebody's own locustfile, empty for the
    report's pattern; ``modules`` are the texts of its own modules, ``variables`` the environment variables that it
    reads, ``arguments`` what else Locust gets. ``places``, ``path``, ``place`` and ``files`` are those of a command's
    load (``kept/load.py``). ``stall`` are the seconds without an end of a task from which a user is stuck, 0 where only
    who outlives the stop is. ``seed`` is the amplification's, where there is one.

    ``command`` are the words behind the interpreter of a plain program, empty for a load; ``paths`` are the folders
    that its PYTHONPATH names. Its ``stall`` are the seconds for which it does nothing once it hangs; one that
    ``is_burning`` takes processor time meanwhile.
    """

    title: str
    python: str
    pins: Mapping[str, str]
    settings: Mapping[str, Level] = field(default_factory=dict)
    seed: int = 0
    users: int = 200
    seconds: float = 8
    grace: float = 5
    stall: float = 0
    source: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    place: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    is_burning: bool = False
    catalogue: Catalogue = COMMON

    def level(self, setting: str) -> Level:
        """The level of a setting: its own, else the default."""
        return self.settings.get(setting, self.catalogue.defaults[setting])

    def without_pins(self, names: Collection[str]) -> Recipe:
        """The recipe in which the resolver chooses these packages."""
        return replace(self, pins={name: version for name, version in self.pins.items() if name not in names})

    def without_setting(self, setting: str) -> Recipe:
        """The recipe with a setting at its default."""
        return replace(self, settings={name: level for name, level in self.settings.items() if name != setting})

    def with_setting(self, setting: str, level: Level) -> Recipe:
        """The recipe with another level of a setting."""
        return replace(self, settings={**self.settings, setting: level})

    def without_variable(self, variable: str) -> Recipe:
        """The recipe without an environment variable."""
        return replace(self, variables={name: value for name, value in self.variables.items() if name != variable})


def settings_of(levels: Mapping[str, Level], catalogue: Catalogue) -> dict[str, Level]:
    """Of the levels of a cell those that a recipe holds: what a reproducer can say and is not at its default."""
    return {
        factor.name: levels[factor.name]
        for factor in catalogue
        if (factor.botocore or factor.plain is not None) and levels[factor.name] != factor.default
    }


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
    them, and so on; then every pin that is left and every setting alone. A setting without which the hang comes more
    seldom matters too: ``hangs_surely`` says whether it comes every time.
    """
    bystanders = tuple(sorted(name for name in recipe.pins if name not in STANDS_ON and name not in explicit))
    recipe = _without(recipe, bystanders, hangs=hangs, say=say)
    for name in sorted(set(recipe.pins) - set(bystanders), key=lambda name: (name in explicit, name)):
        recipe = _without(recipe, (name,), hangs=hangs, say=say)
    for step in _steps(recipe):
        smaller = step.simpler(recipe)
        say(step.words)
        recipe = smaller if hangs_surely(smaller) else recipe
    return recipe


@dataclass(frozen=True)
class _Step:
    """One thing that a recipe may not need, in words, and what makes any recipe one without it."""

    words: str
    simpler: Callable[[Recipe], Recipe]


def _steps(recipe: Recipe) -> Iterator[_Step]:
    for name in recipe.settings:
        if recipe.catalogue.factor(name).botocore and not recipe.command:
            yield _Step(f"without {name}", partial(Recipe.without_setting, setting=name))
    for name in recipe.variables:
        if name != QUEUE:
            yield _Step(f"without {name}", partial(Recipe.without_variable, variable=name))
    if recipe.command:
        return  # a plain program has its settings by its variables alone
    for name, level in _plain_levels(recipe):
        if recipe.level(name) != level:
            yield _Step(f"with {name}={typed(level)}", partial(Recipe.with_setting, setting=name, level=level))


def _plain_levels(recipe: Recipe) -> Iterator[tuple[str, Level]]:
    """What a reader expects of each setting, first of those that act on any locustfile.

    Somebody's own locustfile has read the others from its variables, and decides by itself what it makes of them.
    """
    for reader in Reader:
        for factor in recipe.catalogue:
            is_its_own = recipe.source and reader is Reader.LOCUSTFILE
            if factor.read_by is reader and factor.plain is not None and not is_its_own:
                yield factor.name, factor.plain


def _without(
    recipe: Recipe, names: tuple[str, ...], *, hangs: Callable[[Recipe], bool], say: Callable[[str], None]
) -> Recipe:
    """The recipe without those pins of ``names`` that it does not need: all at once, else each half of them."""
    if not names:
        return recipe
    smaller = recipe.without_pins(names)
    say(f"{len(smaller.pins)} pins, without {names[0] if len(names) == 1 else f'{len(names)} of them'}")
    if hangs(smaller):
        return smaller
    if len(names) == 1:
        return recipe
    middle = len(names) // 2
    recipe = _without(recipe, names[:middle], hangs=hangs, say=say)
    return _without(recipe, names[middle:], hangs=hangs, say=say)
