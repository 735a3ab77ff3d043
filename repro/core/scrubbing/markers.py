"""What stands in the place of what was taken out: the one table, for evidence, reports and exported files."""

from __future__ import annotations

from enum import StrEnum


class Marker(StrEnum):
    """A word for each kind of text that must not leave the machine."""

    SECRET = "<secret>"  # noqa: S105  # a marker
    ACCESS_KEY = "<access-key>"
    ACCOUNT = "<account>"
    BODY = "<body>"
    TEXT = "<text>"
    VALUE = "<value>"
    USER = "<user>"
    HOME = "<home>"
    HOST = "<host>"
    RUN = "<run>"
    HERE = "<here>"
