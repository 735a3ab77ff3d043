from dataclasses import replace

import pytest
from packaging.specifiers import SpecifierSet

from repro.core.causes.known_causes import Cause, CausePattern, Fact, Sighting, match
from repro.errors import StoreError
from repro.findings import CauseMatch
from repro.world.shipped.causes import known_causes

CAUSE = Cause(
    id="x-1",
    title="x 1: it stands",
    classes=("frozen",),
    packages={"Some_Thing": SpecifierSet("<2")},
    evidence=(CausePattern(frames=("a.py:f", "b.py:g")), CausePattern(output=(r"^Oops: \d+$",))),
    cure="some-thing 2",
    shown_by="an-experiment",
    upstream=("https://example.org/1",),
    cures=("some-thing>=2",),
    summary="it stands",
)
SEEN = Sighting(kind="frozen", versions={"some-thing": "1.9"}, frames=("a.py:f", "b.py:g", "c.py:h"))
DROPPED = """Exception ignored in: <finalize object at 0x7f0; dead>
Traceback (most recent call last):
  File "/e/lib/python3.11/site-packages/urllib3/connectionpool.py", line 1182, in _close_pool_connections
    conn = pool.get(block=False)
greenlet.GreenletExit
"""
WORKER = "concurrent/futures/thread.py:_worker"
FORKS = frozenset({"gevent/os.py:fork_and_watch", WORKER})
PSYCOPG = {"gevent": "26.8.0", "psycopg2-binary": "2.9.10"}
GRPC = {"gevent": "26.8.0", "grpcio": "1.70.0"}
REPLACED = """
greenlet.GreenletExit

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "locustfile.py", line 17, in on_stop
    raise ValueError("cannot clean up")
ValueError: cannot clean up
"""
LATE = """a.py:2: MonkeyPatchWarning: Monkey-patching ssl after ssl has already been imported may lead to errors
Traceback (most recent call last):
RecursionError: maximum recursion depth exceeded
"""
CLOSE = "urllib3/connectionpool.py:_close_pool_connections"
HANGING = {"gevent": "24.2.1", "urllib3": "2.2.1", "locust": "2.24.0"}


def test_a_match_says_why_and_what_cures_it():
    hit = match([CAUSE], SEEN)
    assert hit is not None
    assert hit == CauseMatch(
        id="x-1", title="x 1: it stands", cure="some-thing 2", shown_by="an-experiment", upstream="https://example.org/1",
        summary="it stands", cures=("some-thing>=2",), frames=("a.py:f", "b.py:g"), versions=(("Some_Thing", "1.9", "<2"),),
    )  # fmt: skip


def test_one_whole_piece_of_evidence_is_enough():
    hit = match([CAUSE], replace(SEEN, frames=(), output="x\nOops: 12\ny"))
    assert hit is not None
    assert (hit.frames, hit.lines) == ((), ("Oops: 12",))


@pytest.mark.parametrize(
    "seen",
    [
        replace(SEEN, kind="spinning"),
        replace(SEEN, versions={"some-thing": "2.0"}),
        replace(SEEN, versions={}),
        replace(SEEN, frames=("a.py:f",)),
        replace(SEEN, frames=(), output="Oops: many"),
    ],
)
def test_what_lacks_something_is_new(seen):
    assert match([CAUSE], seen) is None


def test_of_several_the_one_with_most_reasons_is_named():
    vague = replace(CAUSE, id="x-0", evidence=(CausePattern(frames=("a.py:f",)),))
    hit = match([vague, CAUSE], SEEN)
    assert hit is not None
    assert hit.id == "x-1"


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (Sighting(kind="unstoppable", versions=HANGING, frames={CLOSE}, output=DROPPED), "gevent-1957"),
        (
            Sighting(kind="unstoppable", versions=HANGING | {"urllib3": "1.26.16"}, frames={CLOSE}, output=DROPPED),
            "gevent-1957",
        ),
        (Sighting(kind="unstoppable", versions=HANGING | {"urllib3": "1.26.15"}, frames={CLOSE}, output=DROPPED), None),
        (Sighting(kind="unstoppable", versions=HANGING | {"gevent": "25.4.1"}, frames={CLOSE}, output=DROPPED), None),
        (Sighting(kind="unstoppable", versions=HANGING, frames={CLOSE}, output=""), None),
        (Sighting(kind="unstoppable", versions=HANGING, frames=(), output=DROPPED), None),
        (Sighting(kind="frozen", versions=HANGING, frames={CLOSE, "gevent/_threading.py:put"}), "gevent-1957-frozen"),
        (Sighting(kind="frozen", versions=HANGING, frames={"gevent/_threading.py:put"}), None),
        (
            Sighting(kind="deadlocked", versions=HANGING, frames=(), unwoken={"gevent/hub.py:sleep"}),
            "gevent-1957-lost-wake-up",
        ),
        (
            Sighting(kind="deadlocked", versions=HANGING, frames={"gevent/thread.py:acquire", "gevent/hub.py:sleep"}),
            None,
        ),
        (Sighting(kind="crash", versions=HANGING, frames=(), output=LATE), "patched-too-late"),
        (Sighting(kind="failing", versions=HANGING, frames=(), output="RecursionError: maximum recursion"), None),
        (Sighting(kind="frozen", versions={"gevent": "26.7.0"}, frames=FORKS), "gevent-1865"),
        (Sighting(kind="frozen", versions={"gevent": "26.8.0"}, frames=FORKS), None),
        (Sighting(kind="frozen", versions={"gevent": "26.7.0"}, frames=FORKS - {WORKER}), None),
        (Sighting(kind="unstoppable", versions={"locust": "2.16.1"}, frames=(), output=REPLACED), "locust-2401"),
        (Sighting(kind="unstoppable", versions={"locust": "2.17.0"}, frames=(), output=REPLACED), None),
        (
            Sighting(
                kind="unstoppable",
                versions={"locust": "2.16.1"},
                frames=(),
                output=REPLACED.replace("in on_stop", "in send"),
            ),
            None,
        ),
        (Sighting(kind="frozen", versions=PSYCOPG, frames={"psycopg2/__init__.py:connect"}), "psycopg-blocks"),
        (Sighting(kind="deadlocked", versions=PSYCOPG, frames={"psycopg2/__init__.py:connect"}), None),
        (Sighting(kind="frozen", versions=PSYCOPG, frames={"gevent/hub.py:run"}), None),
        (Sighting(kind="frozen", versions=GRPC, frames={"grpc/_channel.py:_blocking"}), "grpc-blocks"),
        (Sighting(kind="unanswered", versions=GRPC, frames={"grpc/_channel.py:_blocking"}), None),
        (Sighting(kind="frozen", versions=GRPC, frames=()), None),
    ],
)
def test_the_known_causes_match_what_they_are_about_and_nothing_else(seen, cause):
    hit = match(known_causes(), seen)
    assert (hit.id if hit else None) == cause


WRITABLE = "AttributeError: attribute 'queue' of 'gevent._gevent_cqueue.SimpleQueue' objects is not writable"
OTLP, BLOCKING = "opentelemetry/exporter/otlp/proto/grpc/exporter.py:_export", "grpc/_channel.py:_blocking"
TELEMETRY = GRPC | {"opentelemetry-exporter-otlp-proto-grpc": "1.30.0"}
TAKE, RECEIVE = "multiprocessing/queues.py:get", "multiprocessing/connection.py:_recv"
GET_CONN = "urllib3/connectionpool.py:_get_conn"
NEW = {"gevent": "26.9.0", "urllib3": "2.8.0", "locust": "2.47.0"}
WEIGHTLESS = """
  File "/e/lib/python3.11/site-packages/locust/dispatch.py", line 32, in _kl_generator
    x = math.log(weight)
ValueError: math domain error
"""
REQUESTS = NEW | {"requests": "2.32.5"}
SENDS = {"requests/adapters.py:send", "urllib3/connection.py:getresponse"}
EXECUTE, POOLED = "sqlalchemy/engine/default.py:do_execute", "sqlalchemy/pool/impl.py:_do_get"
TRANSFERS = NEW | {"s3transfer": "0.14.0"}
SHUTDOWN, RESULT = "s3transfer/manager.py:_shutdown", "s3transfer/futures.py:result"
JOINS = {"locust/main.py:main", "gevent/pool.py:join"}
FULL = (
    "urllib3.exceptions.FullPoolError: HTTPConnectionPool(host='127.0.0.1', port=1): Pool reached maximum size and no"
)
WAITS = "psycopg/connection.py:wait"
RUNNING = "asyncio.run() cannot be called from a running event loop"
SLEEP = "gevent/hub.py:sleep"
EMIT, FLUSH = "logging/__init__.py:emit", "logging/__init__.py:flush"
CAUGHT = frozenset({Fact.EXIT_CAUGHT})
LOGS = {"logging/__init__.py:acquire", "gevent/thread.py:acquire"}
EXITS = {"gevent/monkey/_patch_thread_gte313.py:_shutdown", "concurrent/futures/thread.py:_worker"}
LOOP = {"celery/worker/loops.py:synloop", "kombu/transport/virtual/base.py:drain_events"}
GONE = "[x] vm/INFO/locust.runners: The last worker went missing, stopping test.\n"
BY_GUNICORN = LATE.replace("a.py:2:", "/e/lib/python3.11/site-packages/gunicorn/workers/ggevent.py:38:")
ASKS = {"botocore/utils.py:_fetch_metadata_token", "urllib3/connection.py:getresponse"}
RESOLVES = "gevent/resolver/thread.py:getaddrinfo"


@pytest.mark.parametrize(
    ("cause", "seen", "look_alike"),
    [
        (
            "otlp-grpc-blocks",
            Sighting(kind="frozen", versions=TELEMETRY, frames={OTLP, BLOCKING}),
            Sighting(kind="frozen", versions=TELEMETRY, frames={BLOCKING}),
        ),
        (
            "gevent-2136",
            Sighting(kind="crash", versions={"gevent": "25.8.1", "urllib3": "1.26.20"}, frames=(), output=WRITABLE),
            Sighting(kind="crash", versions={"gevent": "25.8.1", "urllib3": "1.26.20"}, frames=(), output=LATE),
        ),
        (
            "process-queue",
            Sighting(kind="frozen", versions=NEW, frames={TAKE, RECEIVE}),
            Sighting(kind="deadlocked", versions=NEW, frames={"gevent/queue.py:get"}),
        ),
        (
            "pool-exhausted",
            Sighting(kind="deadlocked", versions=NEW, frames={GET_CONN}),
            Sighting(kind="unanswered", versions=NEW, frames={GET_CONN}),
        ),
        (
            "locust-2852",
            Sighting(kind="crash", versions={"locust": "2.31.5"}, frames=(), output=WEIGHTLESS),
            Sighting(kind="crash", versions={"locust": "2.31.5"}, frames=(), output="ValueError: math domain error\n"),
        ),
        (
            "no-timeout",
            Sighting(kind="unanswered", versions=REQUESTS, frames=SENDS, facts={Fact.NO_TIMEOUT}),
            Sighting(kind="unanswered", versions=REQUESTS, frames=SENDS),
        ),
        (
            "sqlalchemy-blocks",
            Sighting(kind="frozen", versions=NEW | {"sqlalchemy": "2.0.51"}, frames={EXECUTE}),
            Sighting(kind="deadlocked", versions=NEW | {"sqlalchemy": "2.0.51"}, frames={EXECUTE, POOLED}),
        ),
        (
            "gevent-2043",
            Sighting(kind="deadlocked", versions=TRANSFERS, frames={SHUTDOWN, RESULT}),
            Sighting(kind="deadlocked", versions=TRANSFERS, frames={"s3transfer/manager.py:wait", RESULT}),
        ),
        (
            "locust-2456",
            Sighting(kind="unstoppable", versions=NEW, frames=JOINS, facts={Fact.LEFT_WAITING}),
            Sighting(kind="unstoppable", versions=NEW, frames=JOINS),
        ),
        (
            "pool-at-stop",
            Sighting(kind="unstoppable", versions=NEW, frames=(), output=FULL, facts={Fact.EXIT_REPLACED}),
            Sighting(kind="unstoppable", versions=NEW, frames=(), output=FULL),
        ),
        (
            "log-pipe-full",
            Sighting(kind="frozen", versions=NEW, frames={EMIT, FLUSH}),
            Sighting(kind="frozen", versions=NEW, frames={"logging/__init__.py:acquire"}),
        ),
        (
            "psycopg-527",
            Sighting(kind="frozen", versions=NEW | {"psycopg": "3.1.13"}, frames={WAITS}),
            Sighting(kind="unanswered", versions=NEW | {"psycopg": "3.1.13"}, frames={WAITS}),
        ),
        (
            "locust-1251",
            Sighting(kind="failing", versions=NEW, frames=(), output=f"RuntimeError('{RUNNING}')"),
            Sighting(kind="failing", versions=NEW, frames=(), output="RuntimeError: no running event loop"),
        ),
        (
            "gevent-1959",
            Sighting(kind="deadlocked", versions={"gevent": "25.4.1"}, frames=(), unwoken={SLEEP}),
            Sighting(kind="deadlocked", versions={"gevent": "25.4.1"}, frames={SLEEP}),
        ),
        (
            "thread-pool-full",
            Sighting(kind="deadlocked", versions=NEW, frames={RESOLVES}, facts={Fact.POOL_TAKEN}),
            Sighting(kind="deadlocked", versions=NEW, frames={RESOLVES}),
        ),
        (
            "gevent-2013",
            Sighting(kind="deadlocked", versions=NEW, frames=LOGS, facts={Fact.NATIVE_THREAD}),
            Sighting(kind="deadlocked", versions=NEW, frames=LOGS),
        ),
        (
            "gevent-2188",
            Sighting(kind="deadlocked", versions={"gevent": "26.5.0"}, frames=EXITS),
            Sighting(kind="deadlocked", versions={"gevent": "26.5.0"}, frames={"concurrent/futures/thread.py:_worker"}),
        ),
        (
            "celery-8168",
            Sighting(kind="frozen", versions=NEW | {"celery": "5.6.0"}, frames=LOOP, facts={Fact.UNSERVED}),
            Sighting(kind="frozen", versions=NEW | {"celery": "5.6.0"}, frames=LOOP),
        ),
        (
            "gunicorn-preload",
            Sighting(kind="crash", versions=NEW | {"gunicorn": "25.0.0"}, frames=(), output=BY_GUNICORN),
            Sighting(kind="crash", versions=NEW | {"gunicorn": "25.0.0"}, frames=(), output=LATE),
        ),
        (
            "connection-forgotten",
            Sighting(kind="unanswered", versions=REQUESTS, frames=SENDS, facts={Fact.NO_TIMEOUT, Fact.ALL_ANSWERED}),
            Sighting(kind="unanswered", versions=REQUESTS, frames=SENDS, facts={Fact.NO_TIMEOUT}),
        ),
        (
            "metadata-silent",
            Sighting(kind="unanswered", versions={"botocore": "1.40.0"}, frames=ASKS),
            Sighting(kind="unanswered", versions={"botocore": "1.40.0"}, frames={"urllib3/connection.py:getresponse"}),
        ),
        (
            "locust-2474",
            Sighting(kind="unstoppable", versions={"locust": "2.18.4"}, frames=(), output=GONE, facts={Fact.NOT_TOLD}),
            Sighting(kind="unstoppable", versions={"locust": "2.18.4"}, frames=(), output=GONE),
        ),
        (
            "last-worker-missing",
            Sighting(kind="unstoppable", versions=NEW, frames=(), output=GONE, facts={Fact.ALL_ENDED}),
            Sighting(kind="unstoppable", versions=NEW, frames=(), output=GONE, facts={Fact.NOT_TOLD}),
        ),
        (
            "bare-except",
            Sighting(kind="unstoppable", versions=HANGING, frames={CLOSE}, facts=CAUGHT),
            Sighting(kind="unstoppable", versions=HANGING, frames={CLOSE}),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_look_alike_under_the_same_versions_is_not_the_cause(cause, seen, look_alike):
    hit, other = match(known_causes(), seen), match(known_causes(), look_alike)
    assert (hit.id if hit else None) == cause
    assert (other.id if other else None) != cause


def test_a_bare_except_under_the_packages_of_gevent_1957_is_not_gevent_1957():
    caught = Sighting(kind="unstoppable", versions=HANGING, frames=(), output="", facts=CAUGHT)
    hit = match(known_causes(), caught)
    assert hit is not None
    assert (hit.id, hit.facts) == ("bare-except", ("exit-caught",))


def test_every_known_cause_names_what_looks_like_it():
    assert [cause.id for cause in known_causes() if not cause.look_alike] == []


def test_every_known_cause_names_a_cure_and_the_experiment_that_shows_it():
    causes = known_causes()
    assert len({cause.id for cause in causes}) == len(causes) >= 3
    assert all(cause.cure and cause.shown_by and cause.upstream for cause in causes)


def test_a_broken_file_is_named_with_its_key(tmp_path):
    (tmp_path / "a.toml").write_text('id = "a"\n')
    with pytest.raises(StoreError, match=r"a\.toml: the key 'title' is missing"):
        known_causes(tmp_path)
    (tmp_path / "a.toml").write_text("colour = 1\n")
    with pytest.raises(StoreError, match="unknown key colour"):
        known_causes(tmp_path)
