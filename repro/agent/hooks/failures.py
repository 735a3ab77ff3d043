"""Why a call failed: what it asked for is not there, or it went elsewhere than to the backend."""

from repro_agent import flight
from repro_agent.hooks import redirect

_MISSING = {"QueueName": "queue", "QueueUrl": "queue", "Bucket": "bucket", "TableName": "table"}
_CODES = ("NonExistentQueue", "QueueDoesNotExist", "NoSuchBucket", "ResourceNotFoundException")


def note_failure(error, url, parameters=()):
    """Keep what explains a call that failed: what it asked for is not there, or it went elsewhere than to the backend.

    An address that was asked is kept by ``limits_of``, too: somebody may still wait for its answer.
    """
    address = redirect.address_of(url)
    if address:
        flight.record.wanted("failed", address)
        return
    found = getattr(error, "response", None)
    code = str(found.get("Error", {}).get("Code", "")) if isinstance(found, dict) else ""
    for name, kind in _MISSING.items():
        is_missing = code.endswith(_CODES) or (code == "404" and kind == "bucket" and "Key" not in parameters)
        if is_missing and name in parameters:
            flight.record.wanted(kind, str(parameters[name]).rpartition("/")[2])
    if code.endswith(_CODES) and isinstance(parameters, dict):
        for name in parameters.get("RequestItems") or ():
            flight.record.wanted("table", str(name))
