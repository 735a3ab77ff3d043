"""``--dask`` as it is typed."""

from __future__ import annotations

import pytest

from repro.errors import UsageError
from repro.orchestration.workers.address import ClusterAddress


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("local:4", ClusterAddress(local=4)),
        ("tcp://scheduler:8786", ClusterAddress(url="tcp://scheduler:8786")),
        ("tcp://[::1]:8786", ClusterAddress(url="tcp://[::1]:8786")),
    ],
)
def test_an_address(text: str, address: ClusterAddress) -> None:
    assert ClusterAddress.read(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "local", "local:0", "local:x", "local:65", "scheduler:8786", "tcp://scheduler", "tcp://:8786", "tcp://a:0",
     "tcp:scheduler:1", "http://scheduler:8786", "tcp://scheduler:99999"],
)  # fmt: skip
def test_what_is_none_is_one_sentence_with_two_that_are(text: str) -> None:
    with pytest.raises(UsageError, match=r"this is not an address; give .* tcp://scheduler:8786, or local:4"):
        ClusterAddress.read(text)
