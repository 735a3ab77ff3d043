"""Where the user's own installers look for packages: the indexes and the folders of files that their settings name.

    uv's variables ─▶ its files (uv.toml, pyproject.toml) ─▶ pip's variables ─▶ pip.conf, where it names an index

Each kind of setting is taken from the first that has it. uv knows its own; what only pip was told is passed on to it,
so that what is listed is what can be installed.
"""

from __future__ import annotations

import configparser
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index as it is asked: its address, and the name and password that are kept apart from it."""

    url: str
    auth: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was set: the default index, those asked before it, and places with files; ``name=url`` where it has a name.

    ``is_without_index``: only the files count.
    """

    default: str = ""
    more: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    is_without_index: bool = False

    def or_else(self, other: Settings) -> Settings:
        """These, and of ``other`` what is not set here."""
        return Settings(
            default=self.default or other.default,
            more=self.more or other.more,
            links=self.links or other.links,
            is_without_index=self.is_without_index or other.is_without_index,
        )


def user_settings(environ: Mapping[str, str], folder: Path) -> Settings:
    """What installers that are started in ``folder`` would go by."""
    return _uv_settings(environ, folder).or_else(_pip_settings(environ))


def indexes(environ: Mapping[str, str], folder: Path) -> tuple[Index, ...]:
    """The indexes in the order in which they are asked; the first that knows a name is believed, as uv does."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    found = user_settings(environ, folder)
    if found.is_without_index:
        return ()
    return tuple(_index(one, environ) for one in (*found.more, found.default or PYPI_SIMPLE_ENDPOINT))


def passed_on(environ: Mapping[str, str], folder: Path) -> tuple[dict[str, str], list[str]]:
    """The variables and arguments for uv that say what only pip was told."""
    own, pip = _uv_settings(environ, folder), _pip_settings(environ)
    variables = {
        "UV_DEFAULT_INDEX": "" if own.default else pip.default,
        "UV_INDEX": "" if own.more else " ".join(pip.more),
        "UV_FIND_LINKS": "" if own.links else ",".join(pip.links),
        "SSL_CERT_FILE": "" if environ.get("SSL_CERT_FILE") else environ.get("PIP_CERT", ""),
    }
    arguments = ["--no-index"] if pip.is_without_index else []
    return {name: value for name, value in variables.items() if value}, arguments


def certificates(environ: Mapping[str, str]) -> str:
    """The file with the authorities that installers trust, empty for the usual ones."""
    names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return next((environ[name] for name in names if environ.get(name)), "")


def local_path(place: str) -> Path | None:
    """The folder that a place is, None for one on the network."""
    if place.startswith("file:"):
        from urllib.parse import unquote, urlsplit

        return Path(unquote(urlsplit(place).path))
    return None if "://" in place else Path(place).expanduser()


def _index(text: str, environ: Mapping[str, str]) -> Index:
    """An index from uv's ``name=url``; its name says which variables hold its credentials."""
    name, sign, url = text.partition("=")
    if not sign or "/" in name:
        return Index(url=text)
    prefix = f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"
    user, password = (environ.get(f"{prefix}_{what}", "") for what in ("USERNAME", "PASSWORD"))
    return Index(url=url, auth=(user, password) if user or password else None)


# uv


def _uv_settings(environ: Mapping[str, str], folder: Path) -> Settings:
    found = Settings(
        default=environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL", ""),
        more=tuple(f"{environ.get('UV_INDEX', '')} {environ.get('UV_EXTRA_INDEX_URL', '')}".split()),
        links=tuple(one.strip() for one in environ.get("UV_FIND_LINKS", "").split(",") if one.strip()),
    )
    for file in _uv_files(environ, folder):
        found = found.or_else(_of_uv_file(file))
    return found


def _uv_files(environ: Mapping[str, str], folder: Path) -> Iterator[Path]:
    """Uv's own order: the project's, the user's, the machine's; or only the one that is named."""
    if environ.get("UV_NO_CONFIG"):
        return
    if named := environ.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    around = (near / name for near in (folder, *folder.parents) for name in ("uv.toml", "pyproject.toml"))
    yield from [file for file in around if file.is_file() and _table(file)][:1]
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config")
    yield from (home / "uv" / "uv.toml", Path("/etc/uv/uv.toml"))


def _of_uv_file(file: Path) -> Settings:
    table = _table(file)
    pip: Mapping[str, Any] = table.get("pip", {})
    listed = [one for one in table.get("index", []) if not one.get("explicit")]
    flat = [one["url"] for one in listed if one.get("format") == "flat"]
    simple = [one for one in listed if one.get("format") != "flat"]
    named = {one["url"]: f"{one['name']}={one['url']}" if one.get("name") else one["url"] for one in simple}
    default = next((named[one["url"]] for one in simple if one.get("default")), "")
    links = [*flat, *pip.get("find-links", table.get("find-links", []))]
    return Settings(
        default=default or pip.get("index-url", table.get("index-url", "")),
        more=(
            *(named[one["url"]] for one in simple if not one.get("default")),
            *pip.get("extra-index-url", table.get("extra-index-url", [])),
        ),
        links=tuple(one if "://" in one else str(file.parent / one) for one in links),
        is_without_index=bool(pip.get("no-index", table.get("no-index", False))),
    )


def _table(file: Path) -> Mapping[str, Any]:
    """Uv's settings in a file; none where it has none, or cannot be read: uv itself says what is wrong with it."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    table: Mapping[str, Any] = data if file.name != "pyproject.toml" else data.get("tool", {}).get("uv", {})
    return table


# pip


def _pip_settings(environ: Mapping[str, str]) -> Settings:
    found = Settings(
        default=environ.get("PIP_INDEX_URL", ""),
        more=tuple(environ.get("PIP_EXTRA_INDEX_URL", "").split()),
        links=_existing(environ.get("PIP_FIND_LINKS", "").split()),
        is_without_index=environ.get("PIP_NO_INDEX", "").lower() in {"1", "true", "yes", "on"},
    )
    for file in _pip_files(environ):
        found = found.or_else(_of_pip_file(file))
    return found


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    if named:
        yield Path(named)
    home = Path(environ.get("HOME", "~")).expanduser()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    yield from (config / "pip" / "pip.conf", home / ".pip" / "pip.conf", Path("/etc/pip.conf"))


def _of_pip_file(file: Path) -> Settings:
    """What a file of pip's says, where it names an index: without one, pip's other places go with the public one."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return Settings()
    values = dict(parser["global"]) if parser.has_section("global") else {}
    if not values.get("index-url"):
        return Settings()
    return Settings(
        default=values["index-url"],
        more=tuple(values.get("extra-index-url", "").split()),
        links=_existing(values.get("find-links", "").split()),
    )


def _existing(links: list[str]) -> tuple[str, ...]:
    """Without folders that are not there: pip passes over them, uv stops."""
    return tuple(one for one in links if (path := local_path(one)) is None or path.exists())
