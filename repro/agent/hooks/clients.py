"""Makes the calls of clients operations: botocore's, and those of plain HTTP clients beside or below it."""

import os
import sys

from repro_agent import flight
from repro_agent import layout as at
from repro_agent.hooks import coroutines, redirect
from repro_agent.hooks.failures import note_failure
from repro_agent.hooks.limits import (
    all_attempts,
    limits_of,
    limits_of_agent,
    limits_of_httpx,
    limits_of_urllib3,
    request_of,
)
from repro_agent.hooks.operations import current_slot, operation

READS_ENDPOINT_SINCE = (1, 31)  # the first botocore that reads AWS_ENDPOINT_URL by itself
ENDPOINT_PLACE = 4  # positional arguments of Session.create_client between the service's name and endpoint_url
_budget = int(os.environ.get("REPRO_REQUEST_BUDGET", "0"))
_spent = 0


class BudgetSpentError(Exception):
    """The run's upper bound on requests to a real service is reached: no further call is made."""


def forget():
    """Begin the budget anew, in a process that was forked."""
    global _spent
    _spent = 0


def patch_botocore(module):
    """Each call of an AWS client."""
    original = module.BaseClient._make_api_call

    def _make_api_call(self, operation_name, api_params):
        poll_s = float(api_params.get("WaitTimeSeconds") or 0)
        with operation(operation_name, poll_s, *limits_of(self)):
            _refuse_beyond_budget()  # within: a refused call is a failed one, and not a user from whom nothing is heard
            try:
                return original(self, operation_name, api_params)
            except Exception as error:
                note_failure(error, self.meta.endpoint_url, api_params)
                raise

    module.BaseClient._make_api_call = _make_api_call


def patch_session(module):
    """The making of a client can fail or hang too, before it has any call to make."""
    if not flight.IS_RIDING:
        _lead_to_backend(module)
    _hook(module.Session, "create_client", "create_client", lambda args, kwargs: (0.0, 0.0), counts=False)


def _lead_to_backend(module):
    """Lead a botocore that does not read ``AWS_ENDPOINT_URL`` to the backend: it would go to the real service."""
    version = getattr(sys.modules.get("botocore"), "__version__", "0")
    reads = tuple(int(part) for part in version.split(".")[:2]) >= READS_ENDPOINT_SINCE
    if reads and not redirect.is_on():
        return
    original = module.Session.create_client

    def create_client(self, service_name, *args, **kwargs):
        own = "AWS_ENDPOINT_URL_" + service_name.upper().replace("-", "_")
        url = None if reads else os.environ.get(own) or os.environ.get("AWS_ENDPOINT_URL")
        if len(args) > ENDPOINT_PLACE:
            place = ENDPOINT_PLACE
            args = (*args[:place], redirect.led(args[place]) or args[place], *args[place + 1 :])
        to = redirect.led(kwargs.get("endpoint_url"))
        if to is not None:
            kwargs["endpoint_url"] = to
        if url and len(args) <= ENDPOINT_PLACE and kwargs.get("endpoint_url") is None:
            kwargs["endpoint_url"] = url
        return original(self, service_name, *args, **kwargs)

    module.Session.create_client = create_client


def patch_endpoint(module):
    """Every request that goes out counts, a retry too, whatever the client's own number of attempts is."""
    if not _budget:
        return
    original = module.Endpoint._send

    def _send(self, request):
        global _spent
        _refuse_beyond_budget()
        _spent += 1
        return original(self, request)

    module.Endpoint._send = _send


def _refuse_beyond_budget():
    if _budget and _spent >= _budget:
        flight.record.words[at.H_BUDGET_SPENT] += 1
        raise BudgetSpentError("the run's budget of %d requests is spent" % _budget)


def _hook(owner, name, title, limits, *, counts=True, url_of=None):
    """Make each outermost call of ``owner.name`` an operation.

    ``limits(args, kwargs)`` gives the seconds that one attempt and all of them may take, infinite without a timeout.
    """
    original = getattr(owner, name, None)
    if original is None:
        return

    def call(*args, **kwargs):
        slot = current_slot()
        if slot is not None and slot.depth:  # within another client's call, whose limits count
            return original(*args, **kwargs)
        with operation(title, 0.0, *limits(args, kwargs), counts=counts):
            try:
                return original(*args, **kwargs)
            except Exception as error:
                if url_of is not None:
                    note_failure(error, url_of(args, kwargs))
                raise

    call.__wrapped__ = original
    setattr(owner, name, call)


def patch_requests(module):
    """Each call of requests, whose timeout may be a pair."""
    _hook(
        module.Session,
        "request",
        "requests",
        lambda args, kwargs: all_attempts(kwargs.get("timeout"), 1),
        url_of=lambda args, kwargs: kwargs.get("url") or (args[2] if len(args) > 2 else ""),
    )


def patch_urllib3(module):
    """Each request of urllib3 that no other client makes."""
    _hook(
        module.HTTPConnectionPool,
        "urlopen",
        "urllib3",
        limits_of_urllib3,
        url_of=lambda args, kwargs: "%s://%s:%s" % (args[0].scheme, args[0].host, args[0].port or ""),
    )


def patch_geventhttpclient(module):
    """Each request of geventhttpclient, which Locust's FastHttpUser uses."""
    _hook(
        module.UserAgent,
        "urlopen",
        "geventhttpclient",
        limits_of_agent,
        url_of=lambda args, kwargs: kwargs.get("url") or (args[1] if len(args) > 1 else ""),
    )


def patch_httpx(module):
    """Its timeouts are the client's, a limit for each step; a request names its own."""
    coroutines.patch_httpx(module)
    _hook(
        module.Client,
        "send",
        "httpx",
        limits_of_httpx,
        url_of=lambda args, kwargs: getattr(request_of(args, kwargs), "url", ""),
    )
