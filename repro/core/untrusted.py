"""Text that came out of a cell is untrusted: what is done to it before it reaches a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def for_terminal(text: str) -> str:
    """The text without control sequences; newlines and tabs stay."""
    return _CONTROL.sub("", text)
