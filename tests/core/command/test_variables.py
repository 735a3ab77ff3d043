"""Which variables a source reads, and which of them a cell gets."""

from __future__ import annotations

from repro.core.command.variables import passed, read_by, texts_in, withheld

SOURCE = """
import os
from os import environ, getenv
import environs
A = os.environ["QUEUE"]
B = os.environ.get("POOL", "5")
C = getenv("SIZE") or os.getenv("OTHER", default="x")
D = environ.get("AWS_PROFILE")
env = environs.Env()
E = env.int("WORKERS") if "MODE" in os.environ else None
def options(parser):
    parser.add_argument("--table", env_var="TABLE", default="a")
F = open("data/users.csv")
G = settings.get("not a variable")
"""


def test_variables_are_found_however_they_are_read() -> None:
    names = {"QUEUE", "POOL", "SIZE", "OTHER", "AWS_PROFILE", "WORKERS", "MODE", "TABLE"}
    assert read_by(SOURCE) == names
    assert read_by("not python (") == set()


def test_credentials_and_addresses_of_aws_are_never_passed_on() -> None:
    shell = {
        "QUEUE": "q", "AWS_PROFILE": "prod", "AWS_ENDPOINT_URL_S3": "https://s3", "AWS_QUEUE_NAME": "mine", "HOME": "/h",
        "LOCUST_TAGS": "smoke", "LOCUST_USERS": "5", "GEVENT_RESOLVER": "ares", "UNRELATED": "1", "PYTHONPATH": "src",
        "REPRO_QUEUE": "x",
    }  # fmt: skip
    read = {"QUEUE", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_QUEUE_NAME", "HOME", "REPRO_QUEUE"}
    expected = {"AWS_QUEUE_NAME", "GEVENT_RESOLVER", "LOCUST_TAGS", "PYTHONPATH", "QUEUE"}
    assert set(passed(shell, read)) == expected
    assert withheld(shell, read) == ["AWS_ENDPOINT_URL_S3", "AWS_PROFILE"]


def test_texts_may_be_files() -> None:
    assert "data/users.csv" in texts_in(SOURCE)
