"""Text that came out of a cell is untrusted: what is done to it before it reaches a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # one that never ends must not hide the lines below it
    r"|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"  # they turn the direction of what follows
    r"|[\u00ad\u200b-\u200d\u2060\ufeff]"  # nobody sees them, and what they part no longer looks like a secret
    r"|[\ud800-\udfff]"  # half a pair, which no terminal's encoding takes
)


def for_terminal(text: str) -> str:
    """The text without control sequences; newlines and tabs stay."""
    return _CONTROL.sub("", text)
