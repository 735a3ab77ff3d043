"""What the resolver says when an environment cannot be made, in one paragraph with the next step."""

from __future__ import annotations

import contextlib
import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro.errors import UnreachableError, UntestableError
from repro.model import EnvironmentSpec
from repro.world.environments.releases import Release, releases

MOST_WORDS = 1500
MOST_NEAR = 2
_YANKED = re.compile(r"(?P<name>[A-Za-z][\w.-]*?)(?P<specifier>[<>=!~][^ ]*)? (?:was|were) yanked")
_NO_SUCH_RELEASE = re.compile(r"there is no version of (?P<name>[A-Za-z][\w.-]*?)==(?P<version>[^ ,]+)")
_NO_SUCH_NAME = re.compile(r"(?P<name>[A-Za-z][\w.-]*) was not found in the package registry")
_NO_NETWORK = re.compile(
    r"dns error|Connection refused|error sending request|Network is unreachable|offline", re.IGNORECASE
)


def refusal(stderr: str, spec: EnvironmentSpec) -> UntestableError:
    """The resolver's words in one paragraph, and what to do where that can be told."""
    words = re.sub(r"\s+", " ", " ".join(line.strip(" │╰─▶×") for line in stderr.splitlines())).strip()
    if _NO_NETWORK.search(words):
        return UnreachableError(
            "the package index cannot be reached, and this environment is not in the cache yet; connect to the network "
            "once, or use "
            f"--python PATH. The installer said: {words[:300]}"
        )
    if "No space left" in words:
        return UntestableError(
            f"the disk is full; free some space, for example with `repro env prune`. The installer said: {words[:300]}"
        )
    advice = _of_yanked(words, spec) or _of_no_release(words) or _of_no_name(words)
    return UntestableError(f"{words[:MOST_WORDS]}{f' TIP: {advice}' if advice else ''}")


def _of_yanked(words: str, spec: EnvironmentSpec) -> str:
    """For a release that was withdrawn: the newest one that would do, which is taken only when it is pinned."""
    yanked = [(canonicalize_name(found["name"]), found["specifier"] or "") for found in _YANKED.finditer(words)]
    if not yanked:
        return ""
    name = yanked[0][0]
    with contextlib.suppress(UntestableError, InvalidSpecifier):
        refused = [SpecifierSet(specifier) for other, specifier in yanked if other == name]
        fitting = [
            release.version
            for release in releases(name, include_yanked=True)
            if release.is_yanked
            and any(release.version in one for one in refused)
            and (spec.as_of is None or not release.released or release.released <= spec.as_of)
        ]
        if fitting:
            return f"withdrawn releases are installed only when pinned; add --set {name}={fitting[-1]}"
    return f"withdrawn releases are installed only when pinned; add --set {name}=VERSION"


def _of_no_release(words: str) -> str:
    """For a release that does not exist: those next to it."""
    found = _NO_SUCH_RELEASE.search(words)
    if found is None:
        return ""
    name = canonicalize_name(found["name"])
    with contextlib.suppress(UntestableError, InvalidVersion):
        wanted, known = Version(found["version"]), releases(name, include_yanked=True)
        near = _beside(wanted, known)
        if near:
            return f"{name} {wanted} does not exist; choose a release such as {' or '.join(map(str, near))}"
    return f"check the version of {name}"


def _beside(wanted: Version, known: tuple[Release, ...]) -> list[Release]:
    """The last release before and the first one after a version."""
    older = [release for release in known if release.version < wanted][-1:]
    return (older + [release for release in known if release.version > wanted])[:MOST_NEAR]


def _of_no_name(words: str) -> str:
    found = _NO_SUCH_NAME.search(words)
    return f"the package index does not have {found['name']}; check the spelling" if found else ""
