"""How often each planted truth, and each healthy client that looks hung, is called what it is: verdict and class.

    python benchmarks/verdicts.py [--trials 20] [--jobs 6] [--for SECONDS] [--results FILE] [NAME...]

Prints a Markdown table. With ``--results`` every trial is kept in that file and none of them is run again; with ``--for`` no
truth is begun after this many seconds: the next call goes on.
"""

import argparse
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from repro.core.intervals import interval
from repro.model import Trial, TrialOptions
from repro.orchestration.preparation import RunRequest, prepare
from repro.orchestration.session import Session, SessionOptions
from repro.presentation.hang.explanation import reason_of
from repro.world.processes import door
from repro.world.shipped.names import list_scenarios

BURNING = {"known/spinning", "known/spinning-loop", "known/spinning-one", "known/gigabyte", "known/deep-queue"}
"""Truths that burn a core, or make the backend do so: one trial at a time, or the others would be measured too."""

USUAL = ("client=per-user", "launch=cli", "import_order=locust-first", "connect_timeout=60", "read_timeout=60")


@dataclass(frozen=True)
class Claim:
    """What is run, and what must come out: any of ``right``, as ``hang (deadlocked)`` or ``clean``."""

    name: str
    right: tuple[str, ...]
    experiment: str
    overrides: tuple[str, ...] = ()
    moto_tls: bool = False
    users_stuck: int | None = None
    is_real: bool = False
    backend: Mapping[str, str] = field(default_factory=dict)


ALARMS = (
    Claim(
        "200 users, TLS on moto's own server",
        ("clean", "backend", "hang (unanswered)"),
        "locust-2637",
        (*USUAL, "backend=endpoint", "users=200", "spawn_rate=200", "max_pool_connections=10", "seconds=4"),
        moto_tls=True,
    ),
    Claim(
        "200 users, TLS behind what accepts quickly",
        ("clean",),
        "locust-2637",
        (*USUAL, "tls=true", "users=200", "spawn_rate=200", "max_pool_connections=10", "seconds=4"),
    ),
    Claim(
        "long polls of 20 s on an empty queue, `locust-2637`",
        ("clean",),
        "locust-2637",
        (*USUAL, "users=5", "spawn_rate=5", "wait_time_seconds=20", "seconds=4"),
    ),
    Claim(
        "read time-out of 60 s, five attempts, 2 % of the answers lost",
        # Unanswered when the second answer in a row is lost: it gives up after at most 616 s.
        ("clean", "hang (unanswered)"),
        "locust-2637",
        (*USUAL, "fault=no_answer:share=0.02", "max_attempts=5", "users=20", "spawn_rate=20", "seconds=8"),
    ),
)


REAL = (
    Claim(
        "gevent 24.2.1 and urllib3 2.2.1 alone",
        ("hang (frozen)", "clean"),
        "gevent-urllib3",
        ("gevent=24.2.1", "urllib3=2.2.1"),
        is_real=True,
    ),
    Claim(
        "gevent 25.9.1 and urllib3 2.2.1 alone",
        ("clean",),
        "gevent-urllib3",
        ("gevent=25.9.1", "urllib3=2.2.1"),
        is_real=True,
    ),
)
"""Real releases in environments of their own: whether the first of them hangs in a trial is chance."""


def main(options: argparse.Namespace) -> None:
    """Run what is missing, then print the table of all that is there."""
    claims = [claim for claim in (*_truths(), *ALARMS, *REAL) if not options.names or claim.name in options.names]
    began = time.monotonic()
    results = Path(options.results) if options.results else Path(tempfile.mkdtemp()) / "verdicts.jsonl"
    for claim in sorted(claims, key=lambda claim: claim.name in BURNING):  # what takes longest comes last
        missing = options.trials - len(_kept(results, claim))
        if missing <= 0 or (options.limit_s and time.monotonic() - began > options.limit_s):
            continue
        print(f"{claim.name}: {missing} trials", file=sys.stderr, flush=True)
        _run(claim, missing, jobs=1 if claim.name in BURNING else options.jobs, results=results)
    print("| what is run | is | called right | 95 % interval | called |")
    print("|---|---|---|---|---|")
    for claim in claims:
        print(_row(claim, _kept(results, claim)))


def _truths() -> Iterator[Claim]:
    for name in list_scenarios():
        if not name.startswith("known/"):
            continue
        expected = prepare(RunRequest(experiment=name, python=Path(sys.executable))).scenario.expected
        verdicts = expected["verdict"] if isinstance(expected["verdict"], list) else [expected["verdict"]]
        right = tuple(f"hang ({expected['hang_class']})" if verdict == "hang" else verdict for verdict in verdicts)
        yield Claim(name, right, name, users_stuck=expected.get("users_stuck"))


def _run(claim: Claim, trials: int, *, jobs: int, results: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        backend = dict(claim.backend)
        if claim.moto_tls:
            url, trusted = stack.enter_context(moto_with_tls(folder))
            os.environ["AWS_CA_BUNDLE"] = str(trusted)
            stack.callback(os.environ.pop, "AWS_CA_BUNDLE")
            backend["endpoint_url"], jobs = url, 1
        python = None if claim.is_real else Path(sys.executable)
        prepared = prepare(RunRequest(experiment=claim.experiment, overrides=claim.overrides, python=python))
        (cell,) = prepared.plan.cells
        trials_alike = TrialOptions(
            locustfile=prepared.scenario.locustfile, seed=time.time_ns() % 10**6, is_untouched=not claim.is_real
        )
        options = SessionOptions(trials_alike, backend=backend)
        with Session(prepared.plan, options) as session, ThreadPoolExecutor(jobs) as pool:
            for trial in pool.map(lambda number: session.trial(cell, number, folder / str(number)), range(trials)):
                with results.open("a") as file:
                    file.write(json.dumps({"name": claim.name, "called": _called(trial, claim), "reason": reason_of(trial), "seconds": trial.seconds}) + "\n")  # fmt: skip


def _called(trial: Trial, claim: Claim) -> str:
    if trial.hang is None:
        return trial.verdict.value
    called = f"hang ({trial.hang.hang_class.value})"
    if claim.users_stuck not in {None, trial.hang.users_stuck}:
        called += f" of {trial.hang.users_stuck} instead of {claim.users_stuck} users"
    return called


def _kept(results: Path, claim: Claim) -> list[str]:
    rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    return [row["called"] for row in rows if row["name"] == claim.name]


def _row(claim: Claim, called: Sequence[str]) -> str:
    users = f", {claim.users_stuck} of its users" if claim.users_stuck else ""
    hits = sum(1 for one in called if one in claim.right)
    share = interval(hits, len(called)) if called else None
    doubt = f"{share.low * 100:.0f}–{share.high * 100:.0f} %" if share else "not run"
    said = ", ".join(f"{name} {count}" for name, count in Counter(called).most_common())
    return f"| {claim.name} | {' or '.join(claim.right)}{users} | {hits} of {len(called)} | {doubt} | {said} |"


@contextlib.contextmanager
def moto_with_tls(folder: Path) -> Iterator[tuple[str, Path]]:
    """Moto's own server with ``-s``, which shakes hands in its accept loop behind a short backlog; its URL and authority."""
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
        mark="benchmark-moto-tls",
    )
    try:
        while child.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield f"https://127.0.0.1:{port}", trusted
    finally:
        child.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--for", dest="limit_s", type=float, default=0.0)
    parser.add_argument("--results", default="")
    parser.add_argument("names", nargs="*")
    main(parser.parse_args())
