"""Healthy clients that a naive detector calls hung, for real: each time it is the server, and the verdict says so."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from repro.findings import RowName
from repro.model import HangClass, Trial, TrialOptions, Verdict
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of
from repro.world.processes import door

pytestmark = pytest.mark.timed

NO_HANG_OF_THE_CLIENT = {Verdict.CLEAN, Verdict.BACKEND, Verdict.FAILING}


@contextmanager
def moto_with_tls(folder: Path) -> Iterator[tuple[str, Path]]:
    """moto's own server with ``-s``, which shakes hands in its accept loop behind a short backlog; its URL and authority."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    key, chain, trusted = folder / "key.pem", folder / "chain.pem", folder / "ca.pem"
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    authority.cert_pem.write_to_path(trusted)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), "-s", "-c", chain, "-k", key]
    child = door.start(
        [sys.executable, *words],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        cwd=folder,
        output=door.Output(folder / "moto.out", folder / "moto.err"),
        mark="test-moto-tls",
    )
    try:
        while child.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield f"https://127.0.0.1:{port}", trusted
    finally:
        child.end()


def tried(folder: Path, *overrides: str, **backend: str) -> Trial:
    """One trial of the report's scenario in this program's own environment, a client per user."""
    prepared = prepare(
        RunRequest(
            overrides=(
                "client=per-user",
                "launch=cli",
                "import_order=locust-first",
                "connect_timeout=60",
                "read_timeout=60",
                *overrides,
            ),
            python=Path(sys.executable),
        )
    )
    options = SessionOptions(TrialOptions(locustfile=prepared.scenario.locustfile, is_untouched=True), backend=backend)
    with Session(prepared.plan, options) as session:
        return session.trial(prepared.plan.cells[0], 1, folder)


def test_late_handshakes_of_motos_own_tls_are_no_clients_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with moto_with_tls(tmp_path) as (url, trusted):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
        trial = tried(tmp_path / "evidence", "backend=endpoint", "users=200", "seconds=4", endpoint_url=url)
    if trial.hang is None:
        assert trial.verdict in NO_HANG_OF_THE_CLIENT, reason_of(trial)
    else:
        assert trial.hang.hang_class is HangClass.UNANSWERED, reason_of(trial)
        assert trial.findings is not None
        assert trial.findings.row is RowName.NO_ANSWER
        assert trial.findings.stuck.busy


def test_200_users_over_tls_are_clean_behind_what_accepts_quickly(tmp_path: Path) -> None:
    trial = tried(tmp_path / "evidence", "tls=true", "users=200", "seconds=4")
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert trial.operations.ended


def test_what_the_reports_scenario_calls_beside_sqs_trusts_the_same_authority(tmp_path: Path) -> None:
    trial = tried(tmp_path / "evidence", "tls=true", "http=one-session", "users=5", "seconds=2")
    assert trial.verdict is Verdict.CLEAN, reason_of(trial)
    assert trial.operations.ended
    assert not trial.operations.failed
