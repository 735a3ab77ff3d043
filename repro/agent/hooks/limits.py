"""How long a call may take by its client's own configuration: one attempt of it, and all of them, in seconds."""

import sys

from repro_agent import flight
from repro_agent.hooks import redirect

LEGACY_ATTEMPTS, STANDARD_ATTEMPTS = 5, 3
URLLIB3_RETRIES = 3
BACKOFF_S = 20.0  # botocore waits at most so long between two attempts


def limits_of(client):
    """Seconds that one attempt and all attempts of a call of this client can take by its own configuration."""
    limits = client.__dict__.get("_repro_limits")
    if limits is None:
        config = client.meta.config
        connect_s, read_s = _seconds(config.connect_timeout), _seconds(config.read_timeout)
        retries = getattr(config, "retries", None) or {}
        usual = LEGACY_ATTEMPTS if retries.get("mode", "legacy") == "legacy" else STANDARD_ATTEMPTS
        attempts = retries.get("total_max_attempts") or usual
        attempt_s = max(connect_s, read_s)
        ceiling_s = (connect_s + read_s) * attempts + min(2.0 ** (attempts - 1), BACKOFF_S * attempts) * (attempts > 1)
        limits = client.__dict__["_repro_limits"] = (attempt_s, ceiling_s)
        address = redirect.address_of(client.meta.endpoint_url)
        if address:
            flight.record.wanted("asked", address)
    return limits


def _seconds(timeout):
    """A timeout as seconds: None is without a limit; of a pair (connect, read), the longer one."""
    if timeout is None:
        return flight.INFINITE
    if isinstance(timeout, (tuple, list)):
        return max([_seconds(part) for part in timeout] or [flight.INFINITE])
    try:
        return float(timeout)
    except (TypeError, ValueError):
        return 0.0


def limits_of_urllib3(args, kwargs):
    """Seconds of one attempt and of all: those of the call, else of its pool."""
    pool = args[0]
    timeout = kwargs.get("timeout", pool.timeout)
    if not (timeout is None or isinstance(timeout, (int, float)) or hasattr(timeout, "_read")):
        timeout = pool.timeout  # urllib3's own word for what the pool was given
    retries = kwargs.get("retries")
    retries = pool.retries if retries is None else retries
    total = getattr(retries, "total", retries)
    return all_attempts(timeout, 1 + (total if isinstance(total, int) else URLLIB3_RETRIES))


def limits_of_agent(args, kwargs):
    """Seconds of one attempt and of all: a ``UserAgent`` has no limit for both steps together."""
    agent = args[0]
    settings = getattr(getattr(agent, "clientpool", None), "client_args", {})
    usual = getattr(sys.modules.get("geventhttpclient.connectionpool"), "ConnectionPool", None)
    names = ("connection_timeout", "network_timeout")
    parts = tuple(settings.get(name, getattr(usual, "DEFAULT_" + name.upper(), 0.0)) for name in names)
    retries = kwargs.get("max_retries")
    return all_attempts(parts, 1 + (getattr(agent, "max_retries", 0) if retries is None else retries))


def request_of(args, kwargs):
    """The request that ``send`` is given."""
    return args[1] if len(args) > 1 else kwargs.get("request")


def limits_of_httpx(args, kwargs):
    """Of a request that ``send`` is given, which names the timeout of each step."""
    steps = getattr(request_of(args, kwargs), "extensions", {}).get("timeout", {})
    return all_attempts((steps.get("connect"), steps.get("read")), 1) if steps else (0.0, 0.0)


def all_attempts(timeout, attempts):
    """Seconds of one attempt and of all: of one timeout, a pair (connect, read), or urllib3's object."""
    total_s = _seconds(getattr(timeout, "total", None))
    if hasattr(timeout, "_read"):
        timeout = (_part(timeout._connect), _part(timeout._read))
    parts = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
    seconds = [_seconds(part) for part in parts]
    return min(total_s, max(seconds)), min(total_s, sum(seconds)) * attempts


def _part(seconds):
    """A step's timeout; urllib3 has an object of its own for what the socket module is set to, usually none."""
    if seconds is None or isinstance(seconds, (int, float)):
        return seconds
    ask = getattr(sys.modules.get("socket"), "getdefaulttimeout", None)
    return ask() if ask is not None else None
