"""Records as JSON documents, as a run keeps them; what no UTF-8 can hold is replaced.

Read by pydantic, and written by ``json``: pydantic writes no infinite number that it would read again, and raises at
half a surrogate pair, which a cell's output may hold.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def adapter(record: type) -> TypeAdapter[Any]:
    """What reads a record from JSON."""
    from pydantic import TypeAdapter

    return TypeAdapter(record)


def to_json(record: object) -> str:
    """A record as JSON."""
    return encodable(json.dumps(record, default=_plain, ensure_ascii=False))


def encodable(text: str) -> str:
    """The text with what no UTF-8 can hold replaced: a cell's output may hold half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)
