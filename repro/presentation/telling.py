"""The trial that tells most of each kind of hang in a run's document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def telling_trials(document: Document) -> dict[tuple[str, str], tuple[Document, Document]]:
    """For each (fingerprint, class of hang) the cell and the trial to show: the first whose cause is known, else the first."""
    found: dict[tuple[str, str], tuple[Document, Document]] = {}
    for cell in document["cells"]:
        for trial in cell["trials"]:
            if trial["hang"]:
                key = trial["hang"]["fingerprint"], trial["hang_class"]
                known = found.get(key)
                if known is None or (trial["hang"]["cause"] and not known[1]["hang"]["cause"]):
                    found[key] = cell, trial
    return found
