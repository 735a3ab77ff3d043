"""Sees the calls of clients whose calls are coroutines: aiobotocore, aiohttp, httpx. Several run in one thread at once.

So each call has a slot of its own while it lasts. Of nested ones the outermost counts: aiobotocore over aiohttp is one.
"""

from repro_agent import flight
from repro_agent import layout as at
from repro_agent.hooks.failures import note_failure
from repro_agent.hooks.limits import limits_of, limits_of_httpx

_inside = None
"""Whether this task is within a call already: a ContextVar, made once a client is there."""


def _is_inside():
    global _inside
    if _inside is None:
        import contextvars

        _inside = contextvars.ContextVar("repro_agent_inside", default=False)
    return _inside.get()


def _hook(owner, name, title_of, limits, note):
    """Make each outermost call of the coroutine function ``owner.name`` an operation; ``note`` is told what failed.

    ``limits(client, args, kwargs)`` gives the seconds that one attempt and all of them may take.
    """
    original = getattr(owner, name, None)
    if original is None:
        return

    async def call(self, *args, **kwargs):
        slot = None if _is_inside() else flight.record.take(at.KIND_OTHER, 0)
        if slot is None:
            return await original(self, *args, **kwargs)
        token = _inside.set(True)
        failed = False
        slot.begin(flight.record.name(title_of(args, kwargs)), _poll_s(args), *limits(self, args, kwargs))
        try:
            return await original(self, *args, **kwargs)
        except Exception as error:
            failed = True
            flight.record.error(error)
            note(self, error, args, kwargs)
            raise
        finally:
            slot.end(failed=failed)
            flight.record.give_back(slot)
            _inside.reset(token)

    call.__wrapped__ = original
    setattr(owner, name, call)


def _poll_s(args):
    """The seconds of a long poll of SQS, whose parameters come second."""
    parameters = args[1] if len(args) > 1 and isinstance(args[1], dict) else {}
    return float(parameters.get("WaitTimeSeconds") or 0)


def patch_aiobotocore(module):
    """Every call of every client."""

    def note(client, error, args, kwargs):
        note_failure(error, client.meta.endpoint_url, args[1] if len(args) > 1 else {})

    def limits(client, args, kwargs):
        return limits_of(client)

    def title(args, kwargs):
        return str(args[0]) if args else "aiobotocore"

    _hook(module.AioBaseClient, "_make_api_call", title, limits, note)


def patch_aiohttp(module):
    """Every request of a session, redirections included."""

    def limits(client, args, kwargs):
        asked = kwargs.get("timeout")
        total = getattr(asked if hasattr(asked, "total") else getattr(client, "_timeout", None), "total", asked)
        total_s = float(total) if isinstance(total, (int, float)) and total else flight.INFINITE
        return total_s, total_s

    _hook(module.ClientSession, "_request", lambda args, kwargs: "aiohttp", limits, _note_url)


def patch_httpx(module):
    """The asynchronous client; the other one is a plain call."""

    def limits(client, args, kwargs):
        return limits_of_httpx((client, *args), kwargs)

    _hook(module.AsyncClient, "send", lambda args, kwargs: "httpx", limits, _note_url)


def _note_url(client, error, args, kwargs):
    """Where a request of aiohttp (method, URL) or httpx (a request) went that failed."""
    url = getattr(args[0], "url", None) if args else None
    url = url or (args[1] if len(args) > 1 else kwargs.get("str_or_url", ""))
    note_failure(error, str(url))
