"""What to type where a module was missing (its distribution often has another name), or where there is no input."""

from __future__ import annotations

import re

from repro.findings import Said

_MISSING = re.compile(r"ModuleNotFoundError: No module named '(?P<module>[\w.]+)'")
_DISTRIBUTIONS = {
    "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python", "Crypto": "pycryptodome",
    "confluent_kafka": "confluent-kafka", "dateutil": "python-dateutil", "dotenv": "python-dotenv",
    "faker": "Faker", "google.protobuf": "protobuf", "grpc": "grpcio", "grpc_reflection": "grpcio-reflection",
    "grpc_status": "grpcio-status", "jwt": "PyJWT", "kafka": "kafka-python", "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL", "paho": "paho-mqtt", "PIL": "Pillow", "psycopg2": "psycopg2-binary", "serial": "pyserial",
    "sklearn": "scikit-learn", "socketio": "python-socketio", "websocket": "websocket-client", "yaml": "PyYAML",
    "zmq": "pyzmq",
}  # fmt: skip
"""Where the two names differ, of modules that load tests import."""


_NO_INPUT = "EOFError: EOF when reading a line"


def advice(said: Said) -> str:
    """The next step where the program says that a module is missing, or asks for input; empty where it does not."""
    for text in (said.traceback, said.last_words, said.error):
        if text == _NO_INPUT:
            return "; a trial has no input to read: give the answer as an argument or a variable of the command"
        if match := _MISSING.search(text):
            name = match["module"]
            return f"; add --set packages.{_distribution(name)}= for its newest release{_or_own(name)}"
    return ""


def _distribution(module: str) -> str:
    top = module.partition(".")[0]
    return _DISTRIBUTIONS.get(module) or _DISTRIBUTIONS.get(top) or top.replace("_", "-")


def _or_own(module: str) -> str:
    return f", or type the command in the folder from which {module.partition('.')[0]} is imported"
