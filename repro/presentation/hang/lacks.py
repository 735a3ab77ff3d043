"""What a load asked for that was not there, in words: which option to add."""

from __future__ import annotations

from repro.findings import Findings, Lack, RowName

MOST = 3
_OPTIONS = {Lack.QUEUE: "--queue", Lack.BUCKET: "--bucket", Lack.TABLE: "--table"}
_HERE = frozenset({RowName.RAN_AND_ENDED})


def lacks_text(found: Findings) -> str:
    """``The queue my-queue does not exist: add --queue my-queue``; empty where nothing lacked, or nobody minded."""
    if found.row in _HERE:
        return ""
    return " ".join(part for part in (_missing(found), _elsewhere(found)) if part)


def _missing(found: Findings) -> str:
    lacking = [wanted for wanted in found.wanted if wanted.lack in _OPTIONS][:MOST]
    if not lacking:
        return ""
    names = " and ".join(f"{wanted.lack} {wanted.name}" for wanted in lacking)
    options = " ".join(_option(wanted.lack, wanted.name) for wanted in lacking)
    each = "does" if len(lacking) == 1 else "do"
    return (
        f"{names[:1].upper()}{names[1:]} {each} not exist at the start of a trial. Add {options}, or --before COMMAND."
    )


def _option(lack: Lack, name: str) -> str:
    return f"{_OPTIONS[lack]} {name}{':KEY' if lack is Lack.TABLE else ''}"


def _elsewhere(found: Findings) -> str:
    wanted = {Lack.FAILED} | ({Lack.ASKED} if found.stuck.elsewhere else set())
    urls = list(dict.fromkeys(item.name for item in found.wanted if item.lack in wanted))[:MOST]
    if not urls:
        return ""
    options = " ".join(f"--redirect {url}" for url in urls)
    return f"Calls went to {', '.join(urls)}, which is not this run's backend. Add {options} to send them to it."
