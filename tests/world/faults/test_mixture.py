"""``amplify=io``: what it does to the answers is decided by the seed, and no byte is lost or changed."""

from __future__ import annotations

import http.client
import itertools
import json
import socketserver
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from repro.agent.knobs import Turns
from repro.core.experiment.factors.amplification import IO
from repro.world.faults import Proxy
from repro.world.faults.mixture import (
    BEHIND_HEAD,
    CLOSED,
    DELAYED,
    IN_BODY,
    LONGEST_DELAY_S,
    MIXED,
    PARTED,
    UNMIXED,
    Mixed,
    mixture,
)

MANY = 4000
REQUESTS = 40
BODY = b"0123456789" * 20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
ANSWER = HEAD + BODY
HEAD_SIZE, BODY_SIZE = 250, 50


class Answering(socketserver.StreamRequestHandler):
    """Answers every request of a kept connection, whose body is of two bytes."""

    def handle(self) -> None:
        while self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            self.rfile.read(2)
            self.wfile.write(ANSWER)


class Upstream(socketserver.ThreadingTCPServer):
    daemon_threads = True


def mixtures(seed: int) -> list[Mixed]:
    return [mixture(seed=seed, ordinal=ordinal, head=HEAD_SIZE, body=BODY_SIZE) for ordinal in range(MANY)]


def test_the_same_seed_mixes_alike_and_the_shares_are_those_that_are_documented() -> None:
    made = mixtures(1)
    assert made == mixtures(1)
    assert made != mixtures(2)
    for share, hits in ((DELAYED, [one.delay_s for one in made]), (PARTED, [one.cut_at for one in made])):
        assert abs(sum(map(bool, hits)) / MANY - share) < 0.03
    assert 0 < sum(one.closes for one in made) < 2 * CLOSED * MANY
    assert all(0 <= one.delay_s <= LONGEST_DELAY_S and 0 <= one.cut_at < HEAD_SIZE + BODY_SIZE for one in made)


def test_a_short_body_behind_a_long_head_is_parted_as_often_as_is_documented() -> None:
    cuts = [one.cut_at for one in mixtures(1) if one.cut_at]
    assert abs(sum(cut > HEAD_SIZE for cut in cuts) / len(cuts) - IN_BODY) < 0.04
    assert abs(sum(cut == HEAD_SIZE for cut in cuts) / len(cuts) - BEHIND_HEAD) < 0.04
    assert sum(cut < HEAD_SIZE for cut in cuts) > len(cuts) / 5


@pytest.mark.parametrize(("head", "body"), [(5, 0), (5, 1), (0, 5), (2, 2), (1, 1), (0, 1), (1, 0), (0, 0)])
def test_both_pieces_of_an_answer_of_any_size_have_bytes(head: int, body: int) -> None:
    cuts = {mixture(seed=1, ordinal=ordinal, head=head, body=body).cut_at for ordinal in range(200)}
    assert cuts <= set(range(max(1, head + body)))
    assert 0 in cuts
    assert (len(cuts) > 1) == (head + body > 1)


def test_every_answer_comes_whole_and_the_proxy_counts_what_it_mixed(tmp_path: Path) -> None:
    with Upstream(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upstream = f"http://127.0.0.1:{server.server_address[1]}"
        with Proxy.start(upstream, faults=(), seed=7, folder=tmp_path, mark="test", is_amplified=True) as proxy:
            bodies = answers(proxy.url)
        server.shutdown()
    expected = [mixture(seed=7, ordinal=ordinal, head=len(HEAD), body=len(BODY)) for ordinal in range(1, REQUESTS + 1)]
    assert bodies == [BODY] * REQUESTS
    assert proxy.mixed() == sum(one != UNMIXED for one in expected)


def test_where_knobs_take_turns_answers_are_mixed_in_their_own_and_not_before_the_load(tmp_path: Path) -> None:
    with Upstream(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upstream = f"http://127.0.0.1:{server.server_address[1]}"
        with Proxy.start(
            upstream, faults=(), seed=7, folder=tmp_path, mark="test", is_amplified=True, takes_turns=True
        ) as proxy:
            assert answers(proxy.url) == [BODY] * REQUESTS
            assert proxy.mixed() == 0
            proxy.mark_load_started()
            began = float(proxy.load_started.read_text())
            while time.monotonic() < began + len(Turns.NAMES) * Turns.TURN_S + Turns.TURN_S:
                assert answers(proxy.url) == [BODY] * REQUESTS
        server.shutdown()
    turns = Turns(7)
    mixed = [json.loads(line) for line in proxy.log_path.read_text().splitlines() if f'"{MIXED}"' in line]
    assert len(mixed) > 10
    for one in mixed:
        second = one["at"] - began  # it was decided just before it was noted
        assert turns.has(IO, second) or turns.has(IO, max(0.0, second - 0.05))


def answers(url: str) -> list[bytes]:
    """On as few connections as the proxy allows."""
    place = urlsplit(url)
    found: list[bytes] = []
    for _ in itertools.count():
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        try:
            while len(found) < REQUESTS:
                connection.request("POST", "/", b"{}")
                found.append(connection.getresponse().read())
        except (http.client.RemoteDisconnected, ConnectionError):
            continue
        finally:
            connection.close()
        break
    return found
