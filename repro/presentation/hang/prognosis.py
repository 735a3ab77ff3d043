"""The known causes that are possible with a set of packages, as text, as JSON and as annotations of a CI job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from repro.core.causes.prognosis import Likelihood, Possible, Sign, SignKind

SCHEMA = "repro.doctor/1"


def text(source: str, packages: Mapping[str, str], found: Sequence[Possible], *, known: int) -> str:
    """The answer first, then a block for each cause that is of versions, and a line for each that is not."""
    found = sorted(found, key=lambda one: one.likelihood is not Likelihood.LIKELY)
    of_versions = sum(not one.is_of_any_version for one in found)
    count = (
        f"{of_versions} of {known} known causes {'is' if of_versions == 1 else 'are'} possible"
        if of_versions
        else f"none of the {known} known causes is possible"
    )
    likely = sum(one.likelihood is Likelihood.LIKELY for one in found)
    more = f" By what else is installed, {likely} {'is' if likely == 1 else 'are'} likely." if likely else ""
    head = f"{source}: {len(packages)} packages; with their versions {count}.{more}"
    blocks = [block for one in found if not one.is_of_any_version for block in ("", _block(one))]
    listed = [one for one in found if one.is_of_any_version]
    width = max((len(one.cause.id) for one in listed), default=0)
    rows = [f"{_word(one)}  {one.cause.id:<{width}}  {one.cause.summary}" for one in listed]
    return "\n".join([head, *blocks, *(["", *rows] if rows else [])])


def _block(one: Possible) -> str:
    cause = one.cause
    versions = ", ".join(f"{name} {version}" for name, version in one.concerned.items())
    rows = [
        f"{_word(one)}  {cause.id}",
        f"  versions   {versions}",
        *([f"  needs      {cause.needs}"] if cause.needs else []),
        *([f"  likely     {signs_text(one.signs)}"] if one.signs else []),
        *([f"  symptom    {cause.shows}"] if cause.shows else []),
        f"  fix        {' or '.join(cause.cures) or cause.cure}",
        f"  try it     repro run {cause.shown_by}",
        *([f"  upstream   {cause.upstream[0]}"] if cause.upstream else []),
    ]
    return "\n".join(rows)


def signs_text(signs: Sequence[Sign]) -> str:
    """What makes a cause likely: ``requests is installed, psycogreen is not, the command has --processes``."""
    return ", ".join(_SIGNS[sign.kind].format(sign.name) for sign in signs)


_SIGNS = {
    SignKind.INSTALLED: "{} is installed",
    SignKind.MISSING: "{} is not installed",
    SignKind.COMMAND: "the command has {}",
}


def _word(one: Possible) -> str:
    if one.likelihood is Likelihood.LIKELY and not one.is_certain:
        return "LIKELY     " if one.is_of_any_version else "LIKELY  "
    if one.is_of_any_version:
        return "ANY VERSION"
    return "CERTAIN " if one.is_certain else "POSSIBLE"


def document(source: str, python: str, packages: Mapping[str, str], found: Sequence[Possible]) -> dict[str, Any]:
    """The JSON document."""
    return {
        "schema": SCHEMA,
        "source": source,
        "python": python,
        "packages": dict(packages),
        "causes": [
            {
                "id": one.cause.id,
                "title": one.cause.title,
                "certain": one.is_certain,
                "any_version": one.is_of_any_version,
                "likelihood": one.likelihood.value,
                "signs": [{"kind": sign.kind.value, "name": sign.name} for sign in one.signs],
                "needs": one.cause.needs or None,
                "shows": one.cause.shows or None,
                "classes": list(one.cause.classes),
                "versions": dict(one.concerned),
                "cures": list(one.cause.cures) or [one.cause.cure],
                "shown_by": f"repro run {one.cause.shown_by}",
                "upstream": list(one.cause.upstream),
            }
            for one in found
        ],
    }


def github_lines(found: Sequence[Possible]) -> str:
    """A line for each cause that is of versions, and one for all others, as GitHub's workflow commands want it."""
    others = [one.cause.id for one in found if one.is_of_any_version]
    notice = f"::notice title=Any version::{_escaped('Possible with any version: ' + ', '.join(others))}"
    return "\n".join([*(_annotation(one) for one in found if not one.is_of_any_version), *([notice] if others else [])])


def _annotation(one: Possible) -> str:
    level = "error" if one.is_certain else "warning"
    versions = ", ".join(f"{name} {version}" for name, version in one.concerned.items())
    cures = " or ".join(one.cause.cures) or one.cause.cure
    said = f"{versions}: {one.cause.shows or one.cause.title}. {_needs(one)}. Fix: {cures}"
    return f"::{level} title={_escaped(one.cause.id)}::{_escaped(said)}"


def _needs(one: Possible) -> str:
    if one.signs:
        return f"Likely, for {signs_text(one.signs)}; it needs {one.cause.needs}"
    return f"Possible with {one.cause.needs}"


def _escaped(text_: str) -> str:
    return text_.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
