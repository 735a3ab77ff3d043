"""The way to a backend: by its address, or by the name that its client must look up."""

from __future__ import annotations

from repro.orchestration.trial.gateway import _named


def test_a_backend_on_this_machine_gets_a_name_and_nothing_else_is_touched() -> None:
    variables = {
        "AWS_ENDPOINT_URL_SQS": "https://127.0.0.1:5000",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000/x",
        "AWS_CA_BUNDLE": "/run/127.0.0.1/ca.pem",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    assert _named(variables) == {
        **variables,
        "AWS_ENDPOINT_URL_SQS": "https://localhost:5000",
        "AWS_ENDPOINT_URL": "http://localhost:5000/x",
    }
