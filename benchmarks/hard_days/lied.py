"""Loads that could be judged wrongly: hung and called clean, healthy and called hung, or changed between two runs."""

from collections.abc import Callable

from day import Day, Outcome
from loads import BASE, HEAD, SCRIPT, SEND, after, load
from right import clean, hang, never_clean, not_hang, refused, verdict
from table import Try
from usage import TOML

# The executor's module is loaded before gevent patches, so its global lock is native and is held across the fork.
FORKED_EXECUTOR = """import concurrent.futures.thread
from gevent import monkey
monkey.patch_all()
import os, subprocess, time
from concurrent.futures import ThreadPoolExecutor
import boto3
SQS = boto3.client("sqs")
URL = SQS.get_queue_url(QueueName=os.environ.get("REPRO_QUEUE", "orders"))["QueueUrl"]
for number in range(5):
    SQS.send_message(QueueUrl=URL, MessageBody=str(number))
def sign_and_send(number):
    subprocess.run(["cksum", "/dev/null"], capture_output=True, check=True)
    SQS.send_message(QueueUrl=URL, MessageBody=str(number))
ends, number = time.monotonic() + float(os.environ.get("REPRO_SECONDS") or 4), 0
while time.monotonic() < ends:
    with ThreadPoolExecutor(max_workers=5) as workers:
        for _ in workers.map(sign_and_send, range(number, number + 5)):
            number += 1
"""
# Tasks arrive in its queue, and it waits for something else: it is silent and does not end.
IDLE_WORKER = (
    SCRIPT
    + """
import gevent, gevent.queue, gevent.event
tasks = gevent.queue.Queue()
def heart():
    while True:
        gevent.sleep(1)
gevent.spawn(heart)
for number in range(100):
    tasks.put(number)
gevent.event.Event().wait()
"""
)
S3_USER = """import os, boto3
from botocore.config import Config
from locust import HttpUser, constant, task
class Store(HttpUser):
    wait_time = constant(0.1)
    def on_start(self):
        self.s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:9", aws_access_key_id="a", aws_secret_access_key="b",
                               region_name="us-east-1", config=Config(retries={"max_attempts": 1, "mode": "standard"}))
    @task
    def get(self):
        self.s3.list_buckets()
"""
NO_WEIGHT = """
class Reader(Base):
    @task
    def receive(self):
        self.sqs.receive_message(QueueUrl=self.url)

@events.init.add_listener
def only_writers(**_):
    Reader.weight = 0
"""
LAUNCH = ("--set", "launch=script", "--set", "seconds=4")
OLD = ("--set", "locust=2.24.0", "--set", "configargparse=1.7")
SILENT = "while True:\n    try:\n        time.sleep(0.01)\n    except BaseException:\n        pass\n"


def plain(text: str, *arguments: str) -> Callable[[Day], Outcome]:
    """A run of this locustfile."""
    return lambda day: day.load(text, *arguments)


def script(text: str, *arguments: str) -> Callable[[Day], Outcome]:
    """A run of this program, which is not a locustfile."""
    return lambda day: day.run("--locustfile", day.write("mine.py", text), *LAUNCH, *arguments)


def crossed_script(*pins: str) -> Callable[[Day], Outcome]:
    """The forking executor in the environment of the report, pinned."""

    def make(day: Day) -> Outcome:
        path = day.write("mine.py", FORKED_EXECUTOR)
        settings = [part for pin in ("stack=none", "launch=script", "seconds=4", *pins) for part in ("--set", pin)]
        return day.call("run", "--locustfile", path, *settings, "--trials", "1", "--json", "--out", str(day.out))

    return make


def resumed_after(change: Callable[[Day], object], *, is_experiment: bool = False) -> Callable[[Day], Outcome]:
    """A run, a change to what it was made of, and ``--resume`` with more trials."""

    def make(day: Day) -> Outcome:
        toml, mine = day.write("mine.toml", TOML), day.write("mine.py", "import beside\n" + load())
        day.write("beside.py", "X = 1\n")
        rest = (
            (toml,)
            if is_experiment
            else ("known/clean", "--locustfile", mine, "--set", "seconds=2", "--set", "users=5")
        )
        first = day.call("run", *rest, "--trials", "1", "--out", str(day.out), "--json")
        if first.code:
            return first
        change(day)
        return day.call("run", *rest, "--trials", "2", "--out", str(day.out), "--json", "--resume")

    return make


BAD_INIT = """
def __init__(self, *arguments, **named):
    raise RuntimeError("no user today")
"""
BAD_START = 'def on_start(self):\n    raise RuntimeError("no start today")\n'
BAD_WAIT = 'def wait_time(self):\n    raise RuntimeError("no wait today")\n'
RAISES = verdict("crash", "failing", naming="today")
TRIES = (
    Try("script-native-lock", "lied", crossed_script("gevent=26.7.0", "urllib3=2.2.3"), hang("frozen")),
    Try("script-native-lock-mended", "lied", crossed_script("gevent=26.8.0", "urllib3=2.2.3"), clean()),
    Try("script-idle-worker", "lied", script(IDLE_WORKER), hang() | verdict("inconclusive", "hang")),
    Try("script-ends", "lied", script(SCRIPT), not_hang()),
    Try("script-raises", "lied", script(SCRIPT + '\nraise RuntimeError("today")\n'), verdict("crash", naming="today")),
    Try("script-exits-3", "lied", script(SCRIPT + "\nraise SystemExit(3)\n"), verdict("crash")),
    Try("script-does-nothing", "lied", script("import time\n"), never_clean()),
    Try(
        "script-sleeps-native",
        "lied",
        script(SCRIPT + "\nfrom gevent.monkey import get_original\nget_original('time', 'sleep')(600)\n"),
        hang() | verdict("inconclusive"),
    ),
    Try("user-init-raises", "lied", plain(load(user=BAD_INIT)), verdict("crash", naming="no user today")),
    Try("on-start-raises", "lied", plain(load(user=BAD_START)), RAISES),
    Try("wait-time-raises", "lied", plain(load(user=BAD_WAIT)), never_clean() & not_hang()),
    Try(
        "task-raises-outside-client",
        "lied",
        plain(load(work='raise ValueError("wrong today")')),
        never_clean() & not_hang(),
    ),
    Try(
        "task-raises-after-client",
        "lied",
        plain(load(work=SEND + '\nraise ValueError("wrong today")')),
        never_clean() & not_hang(),
    ),
    Try("http-user-without-host", "lied", plain(S3_USER), verdict("crash", "failing")),
    Try("http-user-without-host-2.24", "lied", plain(S3_USER, *OLD), verdict("crash", "failing"), timeout_s=150),
    Try(
        "weight-zero-2.24.0",
        "lied",
        plain(load(beside=NO_WEIGHT), *OLD),
        verdict("crash", naming="ValueError|ZeroDivisionError|weight"),
        timeout_s=150,
    ),
    Try(
        "weight-zero-2.31.5",
        "lied",
        plain(load(beside=NO_WEIGHT), "--set", "locust=2.31.5"),
        verdict("crash", naming="ValueError|weight") | clean(),
        timeout_s=150,
    ),
    Try("weight-zero-newest", "lied", plain(load(beside=NO_WEIGHT)), not_hang()),
    Try(
        "group-sent-term-early",
        "lied",
        plain(load(beside=after(1, "os.killpg(os.getpgid(0), signal.SIGTERM)")), "--set", "seconds=4"),
        never_clean() & not_hang(),
    ),
    Try(
        "group-sent-kill-early",
        "lied",
        plain(load(beside=after(1, "os.killpg(os.getpgid(0), signal.SIGKILL)")), "--set", "seconds=4"),
        never_clean() & not_hang(),
    ),
    Try(
        "resume-locustfile-changed",
        "lied",
        resumed_after(lambda day: day.write("mine.py", "import beside\n# more\n" + load(work="pass"))),
        refused(),
    ),
    Try("resume-module-changed", "lied", resumed_after(lambda day: day.write("beside.py", "X = 2\n")), refused()),
    Try(
        "resume-experiment-changed",
        "lied",
        resumed_after(
            lambda day: day.write("mine.toml", TOML.replace("seconds = 2", "seconds = 3")), is_experiment=True
        ),
        refused(),
    ),
    Try("resume-unchanged", "lied", resumed_after(lambda _: None), clean()),
    Try("import-exits-0", "lied", plain(load(top="raise SystemExit(0)")), never_clean() & not_hang()),
    Try("import-exits-native-0", "lied", plain(load(top="os._exit(0)")), never_clean() & not_hang()),
    Try("import-never-ends", "lied", plain(load(top="time.sleep(10**6)")), never_clean()),
    Try(
        "exits-0-in-the-middle",
        "lied",
        plain(load(beside=after(1, "os._exit(0)")), "--set", "seconds=4"),
        verdict("crash"),
    ),
    Try(
        "closes-all-files",
        "lied",
        plain(load(beside=after(1, "os.closerange(3, 4096)")), "--set", "seconds=3"),
        never_clean(),
    ),
    Try("catches-everything", "lied", plain(load(work=SILENT)), hang() | verdict("inconclusive", "hang")),
    Try("spins-native", "lied", plain(load(work="while True:\n    pass")), hang()),
    Try(
        "sleeps-native-30-s",
        "lied",
        plain(load(work="from gevent.monkey import get_original\nget_original('time', 'sleep')(30)")),
        hang("frozen") | verdict("inconclusive"),
    ),
    Try(
        "quits-early",
        "lied",
        plain(load(beside=after(1, "environment.runner.quit()")), "--set", "seconds=4"),
        not_hang(),  # the locustfile's own will is an end
    ),
    Try("tasks-empty", "lied", plain(HEAD + BASE + "class Empty(Base):\n    tasks = []\n"), never_clean() & not_hang()),
    Try("no-user-class", "lied", plain(HEAD), never_clean() & not_hang() | refused("User|user")),
    Try(
        "test-start-blocks",
        "lied",
        plain(
            load(
                beside="@events.test_start.add_listener\ndef block(**_):\n    import gevent.event\n    gevent.event.Event().wait()\n"
            )
        ),
        never_clean(),
    ),
    Try(
        "test-start-greenlet-blocks",
        "lied",
        plain(load(beside=after(0, "import gevent.event\ngevent.event.Event().wait()"))),
        clean(),
    ),
    Try(
        "test-start-raises",
        "lied",
        plain(load(beside="@events.test_start.add_listener\ndef bad(**_):\n    raise RuntimeError('today')\n")),
        not_hang(),
    ),
    Try(
        "stops-itself",
        "lied",
        plain(load(beside=after(1, "os.kill(os.getpid(), signal.SIGSTOP)")), "--set", "seconds=4"),
        never_clean(),
    ),
    Try(
        "all-calls-fail",
        "lied",
        plain(load(work='self.sqs.send_message(QueueUrl=self.url + "nosuch", MessageBody="x")')),
        verdict("crash", "failing"),
    ),
    Try(
        "swallows-all-errors",
        "lied",
        plain(
            load(
                work="try:\n    self.sqs.send_message(QueueUrl=self.url + 'nosuch', MessageBody='x')\nexcept Exception:\n    pass"
            )
        ),
        never_clean() & not_hang(),
    ),
    Try(
        "one-user-hangs",
        "lied",
        plain(
            load(
                work="import gevent.event\nif not hasattr(Base, 'taken'):\n    Base.taken = 1\n    gevent.event.Event().wait()\n"
                + SEND
            )
        ),
        hang(),
    ),
    Try("sleeps-60-s-in-task", "lied", plain(load(work=SEND + "\ntime.sleep(60)")), not_hang()),
    Try(
        "frozen-planted",
        "lied",
        lambda day: day.call("run", "known/frozen", "--trials", "1", "--out", str(day.out), "--json"),
        hang("frozen"),
    ),
)
