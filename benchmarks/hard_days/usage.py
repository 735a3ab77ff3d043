"""Mistakes at the keyboard: exit 2, one sentence, the next step."""

import os
from collections.abc import Callable
from pathlib import Path

from day import Day, Outcome
from loads import load
from right import Right, code, refused, says, sentence
from table import Try

HUGE_BYTES = 300_000_000
TOML = 'summary = "x"\nscenario = "known/clean"\ntrials = 1\n[settings]\nusers = 5\nseconds = 2\n'


def line(*arguments: str) -> Callable[[Day], Outcome]:
    """The program called with these arguments."""
    return lambda day: day.call(*arguments)


def clean_run(*arguments: str) -> Callable[[Day], Outcome]:
    """A run of the quickest experiment with these arguments."""
    return lambda day: day.call("run", "known/clean", *arguments)


def experiment(text: str | bytes, *arguments: str) -> Callable[[Day], Outcome]:
    """A run of an experiment file with this text."""
    return lambda day: day.call("run", day.write("mine.toml", text), *arguments)


def special(make: Callable[[str], None], option: str, suffix: str) -> Callable[[Day], Outcome]:
    """A run of something that is not a plain file as the experiment or the locustfile."""

    def day_of(day: Day) -> Outcome:
        path = str(day.cwd / f"odd{suffix}")
        make(path)
        return day.call("run", *([option] if option else []), path)

    return day_of


def huge(path: str) -> None:
    """A file without blocks of 300 MB."""
    with open(path, "wb") as file:  # noqa: PTH123  # truncate needs the handle
        file.truncate(HUGE_BYTES)


def null(path: str) -> None:
    """A name for /dev/null."""
    Path(path).symlink_to("/dev/null")


def unreadable_text(path: str) -> None:
    """Bytes that are not text."""
    with open(path, "wb") as file:  # noqa: PTH123  # as above
        file.write(bytes(range(256)) * 20)


KINDS: dict[str, Callable[[str], None]] = {
    "fifo": os.mkfifo,
    "folder": os.mkdir,
    "dev-null": null,
    "huge": huge,
    "binary": unreadable_text,
    "missing": lambda _: None,
}
LINES: dict[str, tuple[tuple[str, ...], Right]] = {
    "empty-experiment": (("run", ""), refused()),
    "blank-experiment": (("run", "  "), refused()),
    "unknown-experiment": (("run", "nosuch"), refused("nosuch")),
    "unknown-toml": (("run", "nosuch.toml"), refused("nosuch")),
    "unknown-command": (("rnu",), refused("rnu")),
    "unknown-option": (("run", "--trails", "3"), refused("trails")),
    "two-experiments": (("run", "known/clean", "known/frozen"), refused()),
    "locustfile-empty-name": (("run", "--locustfile", ""), refused()),
    "report-unknown-run": (("report", "nosuch"), refused("nosuch")),
    "report-no-run-yet": (("report",), refused()),
    "report-empty-run": (("report", ""), refused()),
    "report-unknown-format": (("report", "--format", "pdf"), refused("pdf")),
    "report-against-unknown": (("report", "nosuch", "--against", "nosuch2"), refused("nosuch")),
    "export-no-output": (("export",), refused()),
    "export-unknown-run": (("export", "nosuch", "-o", "bug"), refused("nosuch")),
    "list-unknown": (("list", "nosuch"), refused("nosuch")),
    "env-show-unknown": (("env", "show", "ffffffff"), refused("ffffffff")),
    "env-show-empty": (("env", "show", ""), refused()),
    "env-prune-negative": (("env", "prune", "--older-than", "-1"), refused()),
    "bisect-nothing": (("bisect",), refused()),
    "bisect-unknown-package": (
        ("bisect", "no-such-package-xyz", "--good", "1", "--bad", "2"),
        refused("no-such-package-xyz"),
    ),
    "bisect-good-is-bad": (("bisect", "urllib3", "--good", "2.2.1", "--bad", "2.2.1"), refused()),
    "bisect-not-versions": (("bisect", "urllib3", "--good", "abc", "--bad", "def"), refused("abc")),
    "bisect-date-backwards": (("bisect", "--date", "2024-03-15..2023-02-15"), refused()),
    "bisect-date-nonsense": (("bisect", "--date", "yesterday"), refused("yesterday")),
    "bisect-confidence-nan": (
        ("bisect", "urllib3", "--good", "1.26.14", "--bad", "2.2.1", "--confidence", "nan"),
        refused(),
    ),
    "blame-missing-file": (("blame", "--good", "nosuch.txt", "--bad", "nosuch.txt"), refused("nosuch")),
    "resume-nothing": (("run", "known/clean", "--resume"), refused()),
    "resume-missing-out": (("run", "known/clean", "--resume", "--out", "nosuch"), refused("nosuch")),
}
RUNS: dict[str, tuple[tuple[str, ...], Right]] = {
    "trials-too-many": (("--trials", "10001"), refused("trials")),
    "trials-zero": (("--trials", "0"), refused("trials")),
    "trials-negative": (("--trials", "-1"), refused("trials")),
    "trials-word": (("--trials", "three"), refused("trials")),
    "trials-beyond-64-bit": (("--trials", "9" * 30), refused("trials")),
    "jobs-zero": (("--jobs", "0"), refused("jobs")),
    "jobs-many": (("--jobs", "65"), refused("jobs")),
    "set-unknown-factor": (("--set", "nosuchfactor!=1"), refused("nosuchfactor")),
    "set-unknown-level": (("--set", "client=bogus"), refused("bogus")),
    "set-no-level": (("--set", "users="), refused("users")),
    "set-no-name": (("--set", "=5"), refused()),
    "set-no-equals": (("--set", "users"), refused("users")),
    "set-empty": (("--set", ""), refused()),
    "set-commas": (("--set", "users=,,"), refused("users")),
    "set-users-zero": (("--set", "users=0"), refused("users")),
    "set-users-negative": (("--set", "users=-5"), refused("users")),
    "set-users-fraction": (("--set", "users=1.5"), refused("users")),
    "set-users-20001": (("--set", "users=20001"), refused("users")),
    "set-seconds-nan": (("--set", "seconds=nan"), refused("seconds")),
    "set-seconds-inf": (("--set", "seconds=inf"), refused("seconds")),
    "set-seconds-1e308": (("--set", "seconds=1e308"), refused("seconds")),
    "set-spawn-rate-nan": (("--set", "spawn_rate=nan"), refused("spawn_rate")),
    "set-think-time-inf": (("--set", "think_time=inf"), refused("think_time")),
    "set-fault-unknown": (("--set", "fault=nosuch:1"), refused("nosuch")),
    "set-fault-nan": (("--set", "fault=latency:nan"), refused("latency")),
    "set-as-of-no-day": (("--set", "as_of=2024-02-31"), refused("as_of")),
    "set-stack-unknown": (("--set", "stack=nosuch"), refused("nosuch|stack")),
    "set-python-missing": (("--set", "python=3.99"), refused("3.99") | (code(3) & says("3.99"))),
    "set-twice": (("--set", "users=5", "--set", "users=6"), refused("users") | code(0)),
    "wait-out-nan": (("--wait-out", "nan"), refused("wait-out")),
    "wait-out-inf": (("--wait-out", "inf"), refused("wait-out")),
    "wait-out-negative": (("--wait-out", "-1"), refused("wait-out")),
    "fail-on-unknown": (("--fail-on", "nosuch"), refused("nosuch")),
    "fail-on-empty": (("--fail-on", ""), refused("fail-on") | code(0)),
    "python-not-one": (("--python", "/bin/ls"), refused("/bin/ls")),
    "python-missing": (("--python", "/no/such/python"), refused("/no/such/python")),
    "python-folder": (("--python", "/tmp"), refused("/tmp")),  # noqa: S108  # any folder does
    "python-never-answers": (("--python", "/usr/bin/yes"), refused("yes")),
    "backend-unknown": (("--backend", "nosuch"), refused("nosuch")),
    "endpoint-without-url": (("--backend", "endpoint"), refused("endpoint")),
    "endpoint-url-alone": (("--endpoint-url", "http://127.0.0.1:9"), refused("endpoint")),
    "endpoint-url-nonsense": (("--backend", "endpoint", "--endpoint-url", "nonsense"), refused("nonsense")),
    "endpoint-url-port": (("--backend", "endpoint", "--endpoint-url", "http://127.0.0.1:99999"), refused("99999")),
    "endpoint-url-scheme": (("--backend", "endpoint", "--endpoint-url", "ftp://127.0.0.1:9"), refused("ftp")),
    "endpoint-unreachable": (
        ("--backend", "endpoint", "--endpoint-url", "http://127.0.0.1:9"),
        sentence(2, 4, naming="127.0.0.1:9"),
    ),
    "max-requests-zero": (("--max-requests", "0"), refused("max-requests")),
    "seed-word": (("--seed", "x"), refused("seed")),
    "seed-beyond-64-bit": (("--seed", "9" * 40, "--set", "seconds=2"), refused("seed") | code(0)),
    "out-empty": (("--out", ""), refused("out")),
    "out-is-a-file": (("--out", "/etc/hostname"), refused("/etc/hostname")),
    "out-under-a-file": (("--out", "/etc/hostname/run"), refused("/etc/hostname")),
    "out-under-proc": (("--out", "/proc/nosuch/run"), refused("/proc")),
    "out-300-characters": (("--out", "x" * 300), refused("out|long")),
    "out-null-device": (("--out", "/dev/null"), refused("/dev/null")),
}
FILES: dict[str, tuple[str | bytes, Right]] = {
    "toml-trials-true": (TOML.replace("trials = 1", "trials = true"), refused("trials")),
    "toml-beat-true": (TOML + "[limits]\nbeat_s = true\n", refused("beat_s")),
    "toml-beat-nan": (TOML + "[limits]\nbeat_s = nan\n", refused("beat_s")),
    "toml-stall-inf": (TOML + "[limits]\nstall_after_s = inf\n", refused("stall_after_s")),
    "toml-limit-negative": (TOML + "[limits]\nstop_grace_s = -1\n", refused("stop_grace_s")),
    "toml-unknown-key": ("nosuch = 1\n" + TOML, refused("nosuch")),
    "toml-unknown-limit": (TOML + "[limits]\nnosuch = 1\n", refused("nosuch")),
    "toml-unknown-scenario": (TOML.replace("known/clean", "known/nosuch"), refused("nosuch")),
    "toml-scenario-is-number": (TOML.replace('"known/clean"', "5"), refused("scenario")),
    "toml-settings-is-list": ('scenario = "known/clean"\nsettings = [1]\n', refused("settings")),
    "toml-users-list-empty": (TOML.replace("users = 5", "users = []"), refused("users")),
    "toml-users-nested": (TOML.replace("users = 5", "users = [[1]]"), refused("users")),
    "toml-broken": (TOML + "[[[\n", refused("mine.toml")),
    "toml-empty": ("", refused("mine.toml|scenario")),
    "toml-not-utf8": (TOML.encode() + b'# caf\xe9 "\n', refused("mine.toml")),
    "toml-null-bytes": (TOML.encode() + b"\x00\x00", refused("mine.toml")),
    "toml-nested-5000": ("a = " + "[" * 5000 + "]" * 5000 + "\n", refused("mine.toml")),
    "toml-bom": (b"\xef\xbb\xbf" + TOML.encode(), code(0) | refused("mine.toml")),
    "toml-huge-number": (TOML.replace("users = 5", "users = " + "9" * 5000), refused("users|mine.toml")),
    "toml-escape-scenario": (TOML.replace("known/clean", "../../../../etc"), refused("etc|scenario")),
}
TRIES = (
    *(Try(name, "usage", line(*arguments), right, timeout_s=30) for name, (arguments, right) in LINES.items()),
    *(Try(name, "usage", clean_run(*arguments), right, timeout_s=30) for name, (arguments, right) in RUNS.items()),
    *(Try(name, "usage", experiment(text), right, timeout_s=30) for name, (text, right) in FILES.items()),
    *(
        Try(f"experiment-{name}", "usage", special(make, "", ".toml"), refused("odd"), timeout_s=30)
        for name, make in KINDS.items()
    ),
    *(
        Try(f"locustfile-{name}", "usage", special(make, "--locustfile", ".py"), refused("odd"), timeout_s=30)
        for name, make in KINDS.items()
    ),
    Try(
        "locustfile-is-toml",
        "usage",
        lambda day: day.call("run", "known/clean", "--trials", "1", "--locustfile", day.write("mine.toml", TOML)),
        refused("mine.toml") | (code(3) & says("crash")),
        timeout_s=30,
    ),
    Try(
        "locustfile-syntax-error",
        "usage",
        lambda day: day.call(
            "run", "known/clean", "--trials", "1", "--locustfile", day.write("mine.py", load() + "def (\n")
        ),
        refused("mine.py") | (code(3) & says("SyntaxError")),
        timeout_s=30,
    ),
)
