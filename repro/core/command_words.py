"""The words of a command line, with some options taken out or put in: how a next step or a stored command is made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence


def without(words: Sequence[str], *, flags: Collection[str] = (), values: Collection[str] = ()) -> list[str]:
    """The words without these options; ``values`` are those that take one, as ``--out DIR`` or ``--out=DIR``.

    What stands behind ``--`` is somebody's own command and is left as it is.
    """
    own, command = _parted(words)
    return [*_kept(own, flags, values), *command]


def with_options(words: Sequence[str], more: Sequence[str]) -> list[str]:
    """The words with ``more``, before somebody's own command."""
    own, command = _parted(words)
    return [*own, *more, *command]


def _parted(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at:]


def _kept(words: Sequence[str], flags: Collection[str], values: Collection[str]) -> Iterator[str]:
    is_value = False
    for word in words:
        name, sign, _ = word.partition("=")
        if not is_value and name not in {*flags, *values}:
            yield word
        is_value = not is_value and name in values and not sign
