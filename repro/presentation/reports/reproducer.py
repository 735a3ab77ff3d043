"""The reproducer's text: one Python file with its own requirements (PEP 723) that shows a hang by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from inspect import getsource
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from repro.agent.knobs import Collections, Draws, Lookups, Stops, Switches
from repro.core.experiment.factors.amplification import knobs_of
from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.names import SECRET_NAME
from repro.core.scrubbing.redaction import Redact
from repro.core.scrubbing.source import redact_source
from repro.core.search.shrinking import Recipe
from repro.presentation.reports.markdown import inline

_KNOBS = {"gc": Collections, "stop": Stops, "dns": Lookups, "threads": Switches}
_FUTURE = re.compile(r"(?m)^from __future__ import .*\n")
"""Python wants these at the very beginning of a file."""
_CODING = re.compile(r"\A((?:[ \t\f]*(?:#[^\n]*)?\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*)[-\w.]+")
"""The encoding that the first lines of a source name; a program's files are written as UTF-8."""


def reproducer(recipe: Recipe) -> str:
    """The text of ``reproduce.py``."""
    return _of_program(recipe) if recipe.command else _of_load(recipe)


def _of_program(recipe: Recipe) -> str:
    texts = {
        **recipe.files,
        **{recipe.places[name]: text for name, text in recipe.modules.items()},
        recipe.path: recipe.source,
    }
    return (
        _templates()
        .get_template("program.py.jinja")
        .render(
            title=_title(recipe),
            python=recipe.python,
            requirements=_requirements(recipe),
            seconds=_plain(recipe.seconds),
            grace=_plain(recipe.grace),
            stall=_plain(recipe.stall),
            is_burning=recipe.is_burning,
            is_counted=True,
            command=list(recipe.command),
            place=recipe.place,
            paths=list(recipe.paths),
            variables=dict(sorted(recipe.variables.items())),
            files={
                name: _exact(_utf_8(text) if name.endswith(".py") else text) for name, text in sorted(texts.items())
            },
        )
    )


def _of_load(recipe: Recipe) -> str:
    imports = ["import locust", "import boto3"]
    if recipe.level("import_order") == "boto3-first":
        imports.reverse()
    return (
        _templates()
        .get_template("reproduce.py.jinja")
        .render(
            title=_title(recipe),
            python=recipe.python,
            requirements=_requirements(recipe),
            is_counted=False,
            users=recipe.users,
            seconds=_plain(recipe.seconds),
            grace=_plain(recipe.grace),
            launch=recipe.level("launch"),
            client=recipe.level("client"),
            amplify=recipe.level("amplify"),
            seed=recipe.seed,
            knobs={name: getsource(kind).rstrip() for name, kind in _knobs(recipe).items()},
            imports=imports,
            config=_config(recipe),
            think_time=recipe.level("think_time"),
            wait_time_seconds=recipe.level("wait_time_seconds"),
            stall=_plain(recipe.stall),
            futures=_FUTURE.findall(recipe.source),
            source=_FUTURE.sub("", recipe.source).rstrip(),
            modules={name: _literal(text) for name, text in sorted(recipe.modules.items())},
            places={name: recipe.places.get(name, f"{name}.py") for name in sorted(recipe.modules)},
            path=recipe.path,
            place=recipe.place,
            files={name: repr(text) for name, text in sorted(recipe.files.items())},
            variables=dict(sorted(recipe.variables.items())),
            arguments=list(recipe.arguments),
        )
    )


def _title(recipe: Recipe) -> str:
    """The title as it may stand in a docstring."""
    return recipe.title.replace('"""', "'''").replace("\\", "/")


def _requirements(recipe: Recipe) -> list[str]:
    return [f'"{name}=={version}"' for name, version in sorted(recipe.pins.items())]


def _knobs(recipe: Recipe) -> dict[str, type]:
    """What an amplified file needs of the agent's own knobs, by the knob."""
    level = str(recipe.level("amplify"))
    own = {knob: _KNOBS[knob] for knob in knobs_of(level)}
    return {"": Draws, **own} if own else {}


def redacted_recipe(recipe: Recipe, redact: Redact) -> Recipe:
    """The recipe as it may leave the machine: its literals, comments and variables.

    Raises:
        ValueError: the locustfile is not Python, or is not when it is redacted.
    """
    variables = {
        name: Marker.SECRET.value if re.fullmatch(SECRET_NAME, name, re.IGNORECASE) else redact(value)
        for name, value in recipe.variables.items()
    }
    return replace(
        recipe,
        title=redact(recipe.title),
        source=redact_source(recipe.source, redact) if recipe.source else "",
        modules={name: redact_source(text, redact) for name, text in recipe.modules.items()},
        files={
            name: redact_source(text, redact) if name.endswith(".py") else redact(text)
            for name, text in recipe.files.items()
        },
        variables=variables,
        arguments=tuple(redact(word) for word in recipe.arguments),
        command=tuple(redact(word) for word in recipe.command),
    )


def readme(recipe: Recipe, *, seen: str, has_hung: bool, command: str) -> str:
    """The text of the README beside it, which claims no more than the proof has shown."""
    pins = " ".join(f"{name}=={version}" for name, version in sorted(recipe.pins.items()))
    return (
        _templates()
        .get_template("reproduce.md.jinja")
        .render(
            title=inline(recipe.title),
            is_program=bool(recipe.command),
            python=recipe.python,
            pins=pins,
            seen=seen,
            has_hung=has_hung,
            command=command.replace("`", "'"),
        )
    )


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("repro.presentation.reports"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Python and Markdown, no HTML
    )
    made.filters["pyrepr"] = repr
    return made


def _literal(text: str) -> str:
    """The text as a literal that people can read where that is possible."""
    is_readable = "'''" not in text and not text.rstrip().endswith(("\\", "'"))
    return f"r'''\n{text.rstrip()}\n'''" if is_readable else repr(text)


def _utf_8(source: str) -> str:
    """The source for a file in UTF-8; its last line ends."""
    text = _CODING.sub(r"\1utf-8", source)
    return text if text.endswith("\n") or not text else f"{text}\n"


def _exact(text: str) -> str:
    """The text to the last character as a literal, which people can read where that is possible."""
    is_readable = text.endswith("\n") and all(char in "\n\t" or char.isprintable() for char in text)
    return f"r'''{text}'''" if is_readable and "'''" not in text else repr(text)


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number


def _config(recipe: Recipe) -> str:
    """The arguments of botocore's ``Config``; some of its options are dictionaries."""
    options: dict[str, Any] = {}
    for name, level in recipe.settings.items():
        option, _, key = recipe.catalogue.factor(name).botocore.partition(".")
        if key:
            options.setdefault(option, {})[key] = level
        elif option:
            options[option] = level
    return ", ".join(f"{name}={value!r}" for name, value in options.items())
