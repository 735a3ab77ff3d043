"""Takes secrets out of what is about to be stored: bytes keep their length, so that no layout breaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from repro.core.scrubbing.markers import Marker

MARKER = Marker.SECRET.value

LEAST = len(MARKER)
"""Shorter values are not real credentials, and would be found in the middle of ordinary words."""

Record = TypeVar("Record")


def forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """Each secret as it is and as it stands in a URL, the longest first."""
    found = {form for secret in secrets if len(secret) >= LEAST for form in (secret, quote(secret, safe=""))}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


def conceal_bytes(data: bytes, secrets: Iterable[str]) -> bytes:
    """The data with the marker in the place of every form of a secret, filled up by blanks to its length."""
    for form in forms(secrets):
        raw = form.encode()
        data = data.replace(raw, MARKER.encode().ljust(len(raw)))
    return data


def conceal(record: Record, secrets: Iterable[str]) -> Record:
    """The record with the marker in the place of every form of a secret in all its texts."""
    secret_forms = forms(secrets)
    found: Record = _concealed(record, secret_forms) if secret_forms else record
    return found


def _concealed(value: Any, secret_forms: tuple[str, ...]) -> Any:
    if isinstance(value, str) and type(value) is str:  # the members of an enum are not free texts
        for form in secret_forms:
            value = value.replace(form, MARKER)
        return value
    if isinstance(value, tuple):
        return tuple(_concealed(item, secret_forms) for item in value)
    if isinstance(value, Mapping):
        return {key: _concealed(item, secret_forms) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        texts = {
            field.name: _concealed(getattr(value, field.name), secret_forms) for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **texts)
    return value
