"""What a load expects in its account: queues, buckets and tables are made, then a command of the user's runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro.errors import UsageError
from repro.model import Provision, Table
from repro.world.backends.protocol import Backend
from repro.world.processes import door

BEFORE_LIMIT_S = 300.0
CALL_LIMIT_S = 20.0
MOST_WORDS = 400
_THERE = frozenset({"QueueAlreadyExists", "BucketAlreadyOwnedByYou", "ResourceInUseException"})
_AWS = "AWS_"


def provide(provision: Provision, backend: Backend, *, queue: str) -> None:
    """Make what ``provision`` names at ``backend``; what is there already is left as it is.

    Raises:
        UsageError: it cannot be made, or the command failed; one sentence.
    """
    variables = backend.cell_environ()
    for name in provision.queues:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        _make("--queue", name, variables, "sqs", "create_queue", {"QueueName": name, "Attributes": attributes})
    for name in provision.buckets:
        _make("--bucket", name, variables, "s3", "create_bucket", {"Bucket": name})
    for table in provision.tables:
        _make("--table", table.name, variables, "dynamodb", "create_table", _table(table))
    if provision.before:
        _run_before(provision.before, {**variables, "REPRO_QUEUE": queue})


def _make(
    option: str, name: str, variables: Mapping[str, str], service: str, call: str, arguments: dict[str, Any]
) -> None:
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        getattr(_client(service, variables), call)(**arguments)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]
        if code not in _THERE:
            raise UsageError(f"{option} {name}: it cannot be made: {error}; check the name") from None
    except ParamValidationError as error:
        raise UsageError(f"{option} {name}: {' '.join(str(error).split())}; check the name") from None
    except BotoCoreError as error:
        raise UsageError(f"{option} {name}: it cannot be made: {error}; check that this backend serves it") from None


def _client(service: str, variables: Mapping[str, str]) -> Any:
    """A client that takes nothing from the user's own settings, and whose calls the embedded server does not log."""
    import botocore.session
    from botocore.config import Config

    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable("config_file", os.devnull)
    client = session.create_client(
        service,
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        verify=variables.get("AWS_CA_BUNDLE"),
        config=Config(
            connect_timeout=CALL_LIMIT_S,
            read_timeout=CALL_LIMIT_S,
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path"},
            proxies={},
        ),
    )
    client.meta.events.register("before-send", _mark_as_own)
    return client


def _mark_as_own(request: Any, **_: object) -> None:
    request.headers["X-Repro-Own"] = "1"


def _table(table: Table) -> dict[str, Any]:
    return {
        "TableName": table.name,
        "KeySchema": [
            {"AttributeName": name, "KeyType": role}
            for (name, _), role in zip(table.keys, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in table.keys],
        "BillingMode": "PAY_PER_REQUEST",
    }


def _run_before(command: str, variables: Mapping[str, str]) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(_AWS)}
    nobody = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    done = door.run(
        ["/bin/sh", "-c", command],
        env={**own, **nobody, **variables},
        cwd=Path.cwd(),
        limit_s=BEFORE_LIMIT_S,
        mark="before",
    )
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1][-MOST_WORDS:]
        raise UsageError(f"--before ended with exit code {done.returncode}: {words}; run it by hand, or leave it out")
