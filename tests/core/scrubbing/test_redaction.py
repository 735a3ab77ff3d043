"""What is redacted, shape by shape, and what must stay readable."""

from __future__ import annotations

import random
import re
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.scrubbing.redaction import Redact, redacted, redactor

REDACT = redactor(
    users=("somebody-real",),
    homes=("/srv/people/somebody",),
    hosts=("build-host-77",),
    secrets=("opaque-value-1",),
    places={"/work/run": "<run>"},
)

ENOUGH_TO_MEASURE_S = 0.02
LEAKS = [
    ("AKIAIOSFODNN7EXAMPLE", "x"),
    ("AKIAIOSF\x1b[0mODNN7EXAMPLE", "ODNN7EXAMPLE"),
    ("AKIAIOSF\x00ODNN7EXAMPLE", "ODNN7EXAMPLE"),
    ("key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalr"),
    ("aws_secret_access_key = 'short secret'", "short"),
    ('"AWS_SECRET_ACCESS_KEY": "short secret"', "short"),
    (r"{\"SecretAccessKey\": \"short secret\"}", "short"),
    ("x-amz-security-token: abcdef", "abcdef"),
    ("token FwoGZXIvYXdzEBYaDHqa0AP and", "DHqa0AP"),
    ("Authorization: AWS4-HMAC-SHA256 Credential=abc, Signature=def", "def"),
    ("'authorization': b'Bearer abcdef'", "abcdef"),
    ("https://sqs.eu-west-1.amazonaws.com/987654321098/q?X-Amz-Signature=abcdef&x=1", "abcdef"),
    ("https://s3.amazonaws.com/b?AWSAccessKeyId=abcdef&Expires=123", "abcdef"),
    ("the account is 987654321098.", "987654321098"),
    ("arn:aws:sqs:eu-west-1:987654321098:q", "987654321098"),
    ("queue_987654321098_x", "987654321098"),
    ("account 9876-5432-1098", "5432"),
    ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "abc"),
    ("-----BEGIN PRIVATE KEY-----\nabc", "abc"),
    ("postgres://me:hunter2@db/x", "hunter2"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIi"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123", "abcdefghij"),
    ("send_message(MessageBody='card 4111')", "4111"),
    ("locustfile.py:22 Buyer.work  self.send('card 4111', queue)", "4111"),
    ('the main thread stands in mine.py:work, line 22, `self.send("card 4111")`', "4111"),
    ("{'Body': 'card 4111', 'MD5OfBody': 'x'}", "4111"),
    (r'"{\"Body\": \"card 4111\"}"', "4111"),
    ("Action=SendMessage&MessageBody=card+4111&Version=1", "4111"),
    ("MessageBody=card 4111 and more", "more"),
    ("'MessageBody': 'card 4111 that was cut", "cut"),
    ("message body: card 4111", "4111"),
    ("<Message><Body>card\n4111</Body></Message>", "4111"),
    ("'MessageAttributes': {'a': {'StringValue': 'card 4111'}}", "4111"),
    ("MY_SETTING=anything", "anything"),
    ("environ({'SHELL': '/bin/zsh', 'MY_SETTING': 'anything at all'})", "anything"),
    ("opaque-value-1 without its name", "opaque"),
    ("/home/alice/venv/x.py and /Users/alice/x", "alice"),
    (r"C:\Users\alice\x", "alice"),
    ("/srv/people/somebody/x.py", "somebody"),
    ("by somebody-real on build-host-77", "somebody"),
    ("by somebody-real on build-host-77", "build-host"),
    ("alice@mail.company.net", "alice"),
    ("https://packages.company.net/simple/x", "company"),
    ("ip-10-1-2-3.eu-west-1.compute.internal", "10-1-2-3"),
    ("db-1.prod.corp:5432 refused", "db-1"),
    ("connect to 10.20.30.40:80, 192.168.7.8 and 172.16.1.2.", "."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "secret"), LEAKS)
def test_it_does_not_get_out(text: str, secret: str) -> None:
    made = REDACT(text)
    assert "<" in made
    if secret not in {"x", "."}:
        assert secret not in made
    assert not any(part in made for part in ("IOSFODNN7", "10.20", "192.168.7", "172.16.1"))


READABLE = [
    'File "urllib3/connectionpool.py", line 1180, in _close_pool_connections; gevent 24.2.1, cell 3f9c2a1b4d5e',
    "repro run --set stack=2024-03 --set client=per-iteration --set env.LOCUST_SKIP_URLLIB3_PATCH=1 --set python=3.11",
    "hangs when gevent<=24.2.1 (25.9.1 clean) and urllib3>=1.26.16 (1.26.15 clean); locust makes no difference",
    "See https://github.com/gevent/gevent/issues/1957.",
    "5 users parked on socket 8 to 127.0.0.1:45643, to read",
    (
        "Exception ignored in <finalize object; dead>: greenlet.GreenletExit, through "
        "urllib3/connectionpool.py → queue.py:get"
    ),
    "http/client.py:986 HTTPConnection.send  self.connect()",
    "http://localhost:5000 and http://127.0.0.1:5000/000/q",
    "locust 10.2.3 and 24.10.2.1; 1.2.123456789012",
    "cli library REPRO_QUEUE=q PYTHONUNBUFFERED=1",
]


@pytest.mark.parametrize("text", READABLE)
def test_what_a_report_is_made_of_stays_as_it_is(text: str) -> None:
    assert redactor(users=("root",), hosts=("localhost",))(text) == text


def test_it_may_be_redacted_twice() -> None:
    for text, _ in LEAKS:
        assert REDACT(REDACT(text)) == REDACT(text)


def test_of_a_kernel_its_release_is_enough() -> None:
    assert REDACT("Linux-6.1.44-built-by-company-x86_64-with-glibc2.36") == "Linux-6.1.44-x86_64-with-glibc2.36"


def test_the_runs_own_folder_has_a_word() -> None:
    assert REDACT("see /work/run/evidence/x/error.txt") == "see <run>/evidence/x/error.txt"


def test_an_environment_variable_that_is_a_factor_stays_unless_it_is_a_secret() -> None:
    factors = {"env.LOCUST_SKIP_URLLIB3_PATCH": "1", "env.API_TOKEN": "abc"}
    assert redacted(factors, redactor()) == {"env.LOCUST_SKIP_URLLIB3_PATCH": "1", "env.API_TOKEN": "<secret>"}


def test_what_identifies_and_what_counts_is_left() -> None:
    document = {
        "id": "123456789012",
        "evidence": "evidence/123456789012-1",
        "timeline": [[0, 1, 2, 3]],
        "reason": "123456789012",
    }
    assert redacted(document, redactor()) == {**document, "reason": "<account>"}


@pytest.mark.parametrize(
    "letter",
    [
        "a",
        ".",
        "-",
        "A",
        "A_",
        "1",
        "/",
        "a.",
        "://",
        "@",
        "Body",
        "TOKEN",
        "'",
        "\\",
        " ",
        "password=",
        "Item={",
        "{'S': ",
        "AKIA\n",
        ".com",
        ":1",
        "1.",
        "%3a%2f%2f",
        "`'",
        "Bearer ",
        "--token",
        "a.py:1 f  ",
    ],
)
def test_a_long_text_takes_a_time_that_grows_with_its_length_alone(letter: str) -> None:
    redact, count, short_s = redactor(), 625, 0.0
    while short_s < ENOUGH_TO_MEASURE_S and count < 5_000:  # a shape that is slow shows its growth on a shorter text
        count *= 2
        short_s = max(seconds_of(redact, letter * count), 0.001)
    assert seconds_of(redact, letter * count * 8) < short_s * 8 * 5  # squared it would be 64


def seconds_of(redact: Redact, text: str) -> float:
    began = time.process_time()
    redact(text)
    return time.process_time() - began


ODD_WAYS = [
    "AKIAIOSF\nODNN7EXAMPLE",
    "AKIAIOSF\\\nODNN7EXAMPLE",
    "AKIAIOSF\u200bODNN7EXAMPLE",
    r"b'\x41KI\x41IOSFODNN7EX\x41MPLE'",
    r'"\u0041KIAIOSFODNN7EXAMPLE"',
    "evidence/AKIAIOSFODNN7EXAMPLE.json",
    "secret wJalrXUtnFEMI%2FIOSFODNN7%2FbPxRfiCYEXAMPLEKEY",
    "QUtJQUlPU0ZPRE5ON0VYQU1QTEU=",
    r"-----BEGIN EC PRIVATE KEY-----\nODNN7\n-----END EC PRIVATE KEY-----",
    "password%3DODNN7",
    "https%3A%2F%2Fme%3AODNN7%40db",
    "['mysql', '--password', 'ODNN7']",
    "password=some,ODNN7 x",
    "postgres://me:hun@ODNN7@db/x",
    "KeyError: 'token', login(password=\"ODNN7\")",
    "Item={'a': {'S': 'x } ODNN7'}, 'b': ['ODNN7']}",
    r'"{\"Body\": \"say \\\"x\\\" ODNN7\"}"',
    "Looking in indexes: https://__token__:ODNN7@pypi.company.net/simple",
]


@pytest.mark.parametrize("text", ODD_WAYS)
def test_no_odd_way_to_write_one_gets_it_out(text: str) -> None:
    assert not any(part in REDACT(text) for part in ("ODNN7", "T0ROTjc", "QUtJQUlP"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("al", "by al, on it"),
        ("zx", "zx refused; zx:80; zx.prod.company.net"),
        ("al", "al@zx"),
        ("run", "run@db-host"),
        ("test", "test@10.0.0.8"),
        ("a", "user=a"),
    ],
)
def test_a_name_goes_however_short_it_is(name: str, text: str) -> None:
    for redact in (redactor(users=(name,)), redactor(hosts=(name,))):
        assert re.search(rf"(?<!\w){name}(?!\w)", redact(text)) is None


@pytest.mark.parametrize("name", ["run", "test", "root", "python", "py", "in", "seed", "gevent", "a", "1"])
def test_an_ordinary_word_stays_even_as_a_name(name: str) -> None:
    for text in READABLE:
        assert redactor(users=(name,), hosts=(name,))(text) == text


def test_our_keys_stay_whatever_somebody_is_called() -> None:
    assert redacted({"seed": 1, "plum": 2}, redactor(users=("plum",))) == {"seed": 1, "plum": 2}


@given(st.text(string.printable, max_size=40), st.text(string.printable, max_size=40), st.integers())
def test_an_access_key_never_survives(before: str, after: str, seed: int) -> None:
    key = "AKIA" + "".join(random.Random(seed).choices(string.ascii_uppercase + string.digits, k=16))
    assert key not in redactor()(f"{before} {key} {after}")
