"""``--dask ADDRESS``: a scheduler that runs somewhere, or so many workers on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from repro.errors import UsageError

MOST_LOCAL = 64
_EXAMPLE = "give a scheduler's address such as tcp://scheduler:8786, or local:4 for four workers on this machine"


@dataclass(frozen=True, kw_only=True)
class ClusterAddress:
    """Where the workers are: behind the scheduler of ``url``, or ``local`` of them are started here."""

    url: str = ""
    local: int = 0

    @classmethod
    def read(cls, text: str) -> ClusterAddress:
        """From what was typed.

        Raises:
            UsageError: it is not an address.
        """
        scheme, _, rest = text.partition(":")
        if scheme == "local" and rest.isdecimal() and 1 <= int(rest) <= MOST_LOCAL:
            return cls(local=int(rest))
        host, _, port = rest.removeprefix("//").rpartition(":")
        if scheme == "tcp" and rest.startswith("//") and host and port.isdecimal() and 0 < int(port) < 65536:
            return cls(url=text)
        raise UsageError(f"--dask {text}: this is not an address; {_EXAMPLE}")
