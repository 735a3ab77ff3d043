"""Leads clients to the backend that were made for an address written into the program: ``--redirect``.

Two places: botocore's making of a client, and the one where urllib3 (and so requests) or geventhttpclient takes the
connection for a host. Requests keep their method, path, headers and body. Without ``--redirect`` nothing is patched.
"""

import os

PORTS = {"http": 80, "https": 443}


def _place(url):
    """Scheme, host and port of a URL; None where it has no host."""
    scheme, sign, rest = url.partition("://")
    netloc = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    host, colon, port = netloc.rpartition(":")
    if not colon or not port.isdigit():
        host, port = netloc, PORTS.get(scheme.lower(), 0)
    return (scheme.lower(), host.lower(), int(port)) if sign and host else None


_backend = os.environ.get("AWS_ENDPOINT_URL", "")
_places = frozenset(place[1:] for place in map(_place, os.environ.get("REPRO_REDIRECT", "").split()) if place)


def is_on():
    """Whether any address leads to the backend."""
    return bool(_backend and _places)


def led(url):
    """The backend's address instead of this one, or None where it stays."""
    place = _place(str(url)) if _places and url else None
    return _backend if place is not None and place[1:] in _places else None


def address_of(url):
    """``http://host:port`` of an address that is not the backend's, "" for the backend's own or what is none."""
    place = _place(str(url))
    return "" if place is None or place == _place(_backend) else "%s://%s:%d" % place


def patch_host(user):
    """Give the first of these addresses to users who were given no host: without one an HttpUser cannot be made."""
    original = user.__init__

    def init(self, environment, *args, **kwargs):
        if getattr(self, "host", None) is None and getattr(environment, "host", None) is None:
            self.host = os.environ["REPRO_REDIRECT"].split()[0]
        original(self, environment, *args, **kwargs)

    user.__init__ = init


def patch_poolmanager(module):
    """Lead urllib3's connections, and those of requests and botocore, which are made of them."""
    if not is_on():
        return
    original = module.PoolManager.connection_from_host
    to_scheme, to_host, to_port = _place(_backend)

    def connection_from_host(self, host, port=None, scheme="http", pool_kwargs=None):
        place = (str(host).lower(), port or PORTS.get(scheme or "http", 0))
        if place in _places:
            host, port, scheme = to_host, to_port, to_scheme
        return original(self, host, port, scheme, pool_kwargs)

    module.PoolManager.connection_from_host = connection_from_host


def patch_clientpool(module):
    """Lead geventhttpclient's connections, which are those of Locust's FastHttpUser."""
    if not is_on():
        return
    original = module.HTTPClientPool.get_client

    def get_client(self, url):
        parts = (getattr(url, "scheme", ""), getattr(url, "host", ""), getattr(url, "port", "") or "")
        return original(self, led("%s://%s:%s" % parts if parts[1] else url) or url)

    module.HTTPClientPool.get_client = get_client
