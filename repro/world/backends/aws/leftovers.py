"""The queues that runs against real AWS left behind, found by their tags."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from repro.world.backends.aws.account import GONE, Account, code_of
from repro.world.backends.aws.backend import CREATED_BY, PREFIX, RUN

PAGE = 1000
CREATED_AT = "CreatedTimestamp"


@dataclass(frozen=True)
class Leftover:
    """A queue that was made by a run: its name, URL, the run, and how many seconds ago."""

    name: str
    url: str
    run: str
    age_s: float


def find_leftovers(account: Account, *, run: str = "") -> Iterator[Leftover]:
    """The queues with this program's name and tag, of one run or of all. A name alone is not enough.

    Raises:
        BackendError: AWS says no.
    """
    client = account.client()
    with account.sentences("list queues"):
        pages = client.get_paginator("list_queues").paginate(
            QueueNamePrefix=PREFIX, PaginationConfig={"PageSize": PAGE}
        )
        urls = [url for page in pages for url in page.get("QueueUrls", ())]
    for url in urls:
        with account.sentences("read a queue's tags"):
            found = _look(client, url)
        if found is not None and run in {"", found.run}:
            yield found


def delete_leftover(account: Account, leftover: Leftover) -> None:
    """Delete it; one that has gone by itself is not an error.

    Raises:
        BackendError: AWS says no.
    """
    from botocore.exceptions import ClientError

    with account.sentences(f"delete the queue {leftover.name}"):
        try:
            account.client().delete_queue(QueueUrl=leftover.url)
        except ClientError as error:
            if code_of(error) not in GONE:
                raise


def _look(client: Any, url: str) -> Leftover | None:
    from botocore.exceptions import ClientError

    try:
        tags = client.list_queue_tags(QueueUrl=url).get("Tags", {})
        if tags.get(CREATED_BY) != "repro":
            return None
        made = client.get_queue_attributes(QueueUrl=url, AttributeNames=[CREATED_AT])["Attributes"][CREATED_AT]
    except ClientError as error:
        if code_of(error) in GONE:  # deleted since it was listed
            return None
        raise
    return Leftover(url.rpartition("/")[2], url, tags.get(RUN, ""), max(0.0, time.time() - float(made)))
