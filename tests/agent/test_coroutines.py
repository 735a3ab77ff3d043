"""Clients whose calls are coroutines, and httpx, by stand-ins of the same shape: each outermost call is an operation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import repro
from repro.world.collecting.flight import Fleet

BOOT = Path(repro.__file__).parent / "agent" / "boot.py"
CLIENTS = {
    "aiohttp/__init__.py": "",
    "aiohttp/client.py": """
import asyncio
class ClientSession:
    async def _request(self, method, str_or_url, **kwargs):
        await asyncio.sleep(0.05)
        if "bad" in str_or_url:
            raise OSError("refused")
        return str_or_url
""",
    "aiobotocore/__init__.py": "",
    "aiobotocore/client.py": """
from types import SimpleNamespace
from aiohttp.client import ClientSession
class AioBaseClient:
    config = SimpleNamespace(connect_timeout=3, read_timeout=4, retries=None)
    meta = SimpleNamespace(endpoint_url="http://localhost:1", config=config)
    async def _make_api_call(self, operation_name, api_params):
        return await ClientSession()._request("POST", operation_name)
""",
    "httpx/__init__.py": "",
    "httpx/_client.py": """
class Client:
    def send(self, request):
        return request
class AsyncClient:
    async def send(self, request):
        return request
""",
}
PROGRAM = """
import asyncio
import sys
from importlib.machinery import PathFinder

class Own:
    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, path, target) if name.startswith(("httpx", "aiohttp")) else None

sys.meta_path.insert(0, Own())  # as pytest does for the modules of its plugins
import colorsys  # anything that comes after it
from types import SimpleNamespace
from aiobotocore.client import AioBaseClient
from aiohttp.client import ClientSession
from httpx._client import AsyncClient, Client

async def main():
    aws, web = AioBaseClient(), ClientSession()
    calls = [aws._make_api_call("SendMessage", {"WaitTimeSeconds": 1}) for _ in range(5)]
    calls += [web._request("GET", "http://localhost:2/%d" % n) for n in range(3)]
    calls += [web._request("GET", "http://localhost:3/bad"), AsyncClient().send(SimpleNamespace(url="http://x"))]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, OSError) for one in found) == 1

asyncio.run(main())
Client().send(SimpleNamespace(url="http://x", extensions={"timeout": {"connect": 1, "read": 2}}))
"""


def test_calls_that_run_at_once_are_each_an_operation_and_nested_ones_are_one(tmp_path: Path) -> None:
    for name, text in {**CLIENTS, "program.py": PROGRAM}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    records = tmp_path / "records"
    records.mkdir()
    settings = {
        "PATH": os.defpath, "REPRO_ARGUMENTS": json.dumps([]), "REPRO_LAUNCH": "script", "REPRO_PROGRAM": "file",
        "REPRO_LOCUSTFILE": "program.py", "REPRO_TARGET": "program.py", "REPRO_STACKS_SIGNAL": "12",
        "REPRO_TRIAL_DIR": str(records), "REPRO_USERS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, BOOT], env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    fleet = Fleet(records)
    (reading,) = fleet.read()
    fleet.close()
    assert (reading.ended, reading.failed) == (11, 1)
    assert reading.error == "OSError: refused"
    assert ("failed", "http://localhost:3") in reading.wanted
    assert not any(slot.busy for slot in reading.slots)
