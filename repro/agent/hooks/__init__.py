"""Sees the client's calls and Locust's users: patches their modules as they are imported, whenever that is.

The import hook asks the other finders on ``sys.meta_path``, so that nothing is imported earlier or otherwise than
without it.
"""

import sys

from repro_agent import amplifier
from repro_agent.hooks import clients, coroutines, deaths, operations, redirect, runners, users
from repro_agent.hooks.operations import number_of, operation  # noqa: F401  # as others call them
from repro_agent.hooks.runners import note_exit  # noqa: F401  # likewise


def install():
    """Hook the imports to come."""
    sys.meta_path.insert(0, _Finder())


def after_fork():
    """Forget what the parent did: its users do not run here, and its requests were its own."""
    operations.forget()
    clients.forget()


class _Finder:
    """Finds what the other finders find, and patches the modules that are hooked once they are loaded.

    It stays the first: pytest puts one before it that loads the modules of its plugins by itself, and Locust is one.
    """

    def find_spec(self, name, path=None, target=None):
        if sys.meta_path[0] is not self and self in sys.meta_path:
            sys.meta_path.remove(self)
            sys.meta_path.insert(0, self)
        patch = _PATCHES.get(name)
        if patch is None:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, patch)
                return spec
        return None


class _Loader:
    """A loader that patches after loading, and is the original one in all else."""

    def __init__(self, loader, patch):
        self._loader, self._patch = loader, patch

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        self._patch(module)


_PATCHES = {
    "botocore.client": clients.patch_botocore,
    "botocore.endpoint": clients.patch_endpoint,
    "botocore.session": clients.patch_session,
    "requests.sessions": clients.patch_requests,
    "urllib3.connectionpool": clients.patch_urllib3,
    "urllib3.poolmanager": redirect.patch_poolmanager,
    "geventhttpclient.client": redirect.patch_clientpool,
    "geventhttpclient.useragent": clients.patch_geventhttpclient,
    "httpx._client": clients.patch_httpx,
    "aiobotocore.client": coroutines.patch_aiobotocore,
    "aiohttp.client": coroutines.patch_aiohttp,
    "gevent.hub": deaths.patch_hub,
    "gevent.resolver.thread": amplifier.patch_resolver,
    "locust.user.users": users.patch_users,
    "locust.user.task": users.patch_tasks,
    "locust.runners": runners.patch_runners,
}
