"""Days on which the program or its cell could die: full disks, cut pipes, spoilt records, odd surroundings."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from day import Day, Outcome, needs_mounts
from leaked import with_facts
from loads import after, load
from right import Right, clean, code, fact, not_hang, refused, says, sentence, silent_about
from table import Try
from usage import TOML

RECORD = 'import glob\nfor path in glob.glob(os.environ.get("REPRO_TRIAL_DIR", ".") + "/flight*"):\n    '
PYTHON_WORDS = r"BrokenPipeError|UnicodeEncodeError|RecursionError|MemoryError|OSError"
LATIN = "# -*- coding: latin-1 -*-\n# caf\xe9\n"
ON_SMALL_DISK = 'mkdir -p "$2" && mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'
GRANDCHILD = (
    "if not os.environ.get('GRAND'):\n    os.environ['GRAND'] = '1'\n    if os.fork() == 0:\n        os.setsid()\n"
    "        if os.fork() == 0:\n            os.closerange(0, 64)\n"
    "            os.execve('/bin/sleep', ['sleep', '600'], {})\n        os._exit(0)\n"
)
FORKS = (
    "import gevent\nends = time.time() + 5\nwhile time.time() < ends:\n    child = os.fork()\n"
    "    if child == 0:\n        os._exit(0)\n    os.waitpid(child, 0)\n    gevent.sleep(0)\n"
)
MOST_FILES = 100


def shell(script: str, *arguments: str) -> Callable[[Day], Outcome]:
    """The program called from a shell line in which it is ``"$@"``."""
    return lambda day: day.call(*(arguments or RUN), prefix=("bash", "-o", "pipefail", "-c", script, "bash"))


def under(env: Mapping[str, str | None], *arguments: str, prefix: Sequence[str] = ()) -> Callable[[Day], Outcome]:
    """A quick run with these changes to the environment."""
    return lambda day: day.run(*arguments, env=env, prefix=prefix)


def small_disk(size: str) -> Callable[[Day], Outcome]:
    """A quick run whose folder is a disk of that size, in a mount namespace of its own."""

    def make(day: Day) -> Outcome:
        disk = day.folder / "disk"
        prefix = ("unshare", "--mount", "sh", "-c", ON_SMALL_DISK, "sh", size, str(disk))
        needs_mounts()
        return day.call("run", "known/clean", "--set", "seconds=2", "--out", str(disk / "run"), "--json", prefix=prefix)

    return make


def read_only_report(day: Day) -> Outcome:
    """A report onto a disk that cannot be written to."""
    needs_mounts()
    run, disk = day.copy_stored(), day.folder / "disk"
    script = 'mkdir -p "$1" && mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
    prefix = ("unshare", "--mount", "sh", "-c", script, "sh", str(disk))
    return day.call("report", str(run), "--format", "html", "-o", str(disk / "r.html"), prefix=prefix)


def disk_filled(day: Day) -> Outcome:
    """A load that fills the disk of its own folder (32 MB) and goes on."""
    needs_mounts()
    disk = day.folder / "disk"
    fill = 'try:\n    with open(os.environ["REPRO_TRIAL_DIR"] + "/fill", "ab") as f:\n        f.write(bytes(2_000_000))\nexcept OSError:\n    pass\n'
    path = day.write("mine.py", load(work=fill + "self.sqs.send_message(QueueUrl=self.url, MessageBody='x')"))
    prefix = ("unshare", "--mount", "sh", "-c", ON_SMALL_DISK, "sh", "32M", str(disk))
    arguments = ("--set", "seconds=3", "--trials", "1", "--out", str(disk / "run"), "--json", "--locustfile", path)
    return day.call("run", "known/clean", *arguments, prefix=prefix)


def spoilt(action: str) -> Callable[[Day], Outcome]:
    """A load that spoils its own flight record after a second."""
    return lambda day: day.load(load(beside=after(1, RECORD + action)), "--set", "seconds=4")


def stored_report(script: str, **env: str) -> Callable[[Day], Outcome]:
    """A report of the stored run from a shell line."""
    return lambda day: day.call(
        "report", str(day.copy_stored()), prefix=("bash", "-o", "pipefail", "-c", script, "bash"), env=env
    )


def text_file(content: str | bytes, option: str, name: str) -> Callable[[Day], Outcome]:
    """A quick run of an experiment or locustfile with these bytes."""

    def make(day: Day) -> Outcome:
        path = day.write(name, content)
        rest = ("known/clean", option, path, "--set", "users=5", "--set", "seconds=2") if option else (path,)
        return day.call("run", *rest, "--trials", "1", "--json", "--out", str(day.out))

    return make


def file_for_folder(name: str) -> Callable[[Day], Outcome]:
    """A quick run where a file stands in the place of the cache, or of a folder in it."""

    def make(day: Day) -> Outcome:
        cache = day.folder / "cache"
        target = cache / name if name else cache
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("not a folder")
        return day.run(env={"REPRO_CACHE_DIR": str(cache)})

    return make


def files_left(day: Day) -> Outcome:
    """Short-lived forks for five seconds, one at a time: the files that they leave in the evidence are counted."""
    came = day.load(load(work="pass", beside=after(0.5, FORKS)), "--set", "seconds=7")
    count = sum(1 for path in (day.out / "evidence").rglob("*") if path.is_file())
    return with_facts(came, files=count, has_few=count <= MOST_FILES)


def gigabyte(day: Day) -> Outcome:
    """A load that prints a gigabyte; what is kept of it is weighed."""
    came = day.load(
        load(beside=after(0.5, "for _ in range(1000):\n    os.write(1, b'x' * 999_999 + b'\\n')\n    time.sleep(0)")),
        "--set",
        "seconds=5",
    )
    kept = sum(path.stat().st_size for path in (day.out / "evidence").rglob("*") if path.is_file())
    return with_facts(came, kept_mb=kept // 1_000_000, is_small=kept < 200_000_000)


def hangs_up_pipe(day: Day) -> Outcome:
    """An unknown terminal and a reader that has gone before anything is said."""
    return day.call(*RUN, prefix=("bash", "-o", "pipefail", "-c", '"$@" 2>&1 | true', "bash"))


def unwritable(name: str) -> Callable[[Day], Outcome]:
    """HOME or another folder on a path where nothing can be made; the cache is then the program's own default."""
    return lambda day: day.run(env={name: "/proc/nosuch"})


RUN = ("run", "known/clean", "--set", "seconds=2", "--trials", "1")
QUIET = silent_about(PYTHON_WORDS)
FULL = clean() | sentence(4, 2, naming="space|full")
NO_DIR = str(Path("/no/such/folder"))
SURROUNDINGS: dict[str, tuple[dict[str, str | None], Right]] = {
    "home-unset": ({"HOME": None}, clean() | refused("HOME|home")),
    "home-not-writable": ({"HOME": "/proc/nosuch"}, clean() | sentence(2, 4)),
    "cache-not-writable": ({"REPRO_CACHE_DIR": "/proc/nosuch"}, sentence(2, 4, naming="/proc/nosuch|cache")),
    "cache-empty-name": ({"REPRO_CACHE_DIR": ""}, clean() | refused("REPRO_CACHE_DIR")),
    "tmpdir-missing": ({"TMPDIR": NO_DIR}, clean() | sentence(2, 4, naming="TMPDIR|folder")),
    "path-empty": ({"PATH": ""}, clean() | sentence(2, 4)),
    "tz-odd": ({"TZ": "Nowhere/Atlantis+99"}, clean()),
    "columns-1": ({"COLUMNS": "1"}, clean()),
    "columns-word": ({"COLUMNS": "wide"}, clean()),
    "no-color": ({"NO_COLOR": "1"}, clean()),
    "term-dumb": ({"TERM": "dumb"}, clean()),
    "term-unknown": ({"TERM": "nosuch-terminal"}, clean()),
    "ld-preload-missing": ({"LD_PRELOAD": "/no/such/library.so"}, clean()),
    "pythonpath-odd": ({"PYTHONPATH": "/proc/nosuch:::"}, clean()),
    "pythonstartup-odd": ({"PYTHONSTARTUP": "/no/such.py", "PYTHONWARNINGS": "error"}, clean()),
    "proxy-dead": ({"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}, clean()),
    "aws-profile-missing": ({"AWS_PROFILE": "nosuch", "AWS_CA_BUNDLE": "/no/such.pem"}, clean()),
    "ascii-terminal": (
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        clean(),
    ),
    "locale-missing": ({"LC_ALL": "xx_YY.nosuch"}, clean()),
}
TRIES = (
    *(Try(f"disk-{size}", "died", small_disk(size), FULL & QUIET) for size in ("48k", "64k", "84k", "256k")),
    Try("record-truncated", "died", spoilt("os.truncate(path, 0)"), not_hang() & QUIET),
    Try("record-deleted", "died", spoilt("os.unlink(path)"), not_hang() & QUIET),
    Try(
        "record-random",
        "died",
        spoilt("open(path, 'r+b').write(os.urandom(os.path.getsize(path)))"),
        not_hang() & QUIET,
    ),
    Try("record-unreadable", "died", spoilt("os.chmod(path, 0)"), not_hang() & QUIET),
    Try("pipe-head-run", "died", shell('"$@" | head -1'), code(0, 141) & QUIET),
    Try("pipe-head-list", "died", shell('"$@" | head -1', "list", "factors"), code(0, 141) & QUIET),
    Try("pipe-head-report", "died", stored_report('"$@" | head -1'), code(0, 141) & QUIET),
    Try("pipe-gone", "died", hangs_up_pipe, code(0, 141, 4) & QUIET),
    Try("stdout-full-run", "died", shell('exec "$@" > /dev/full'), sentence(4)),
    Try("stdout-full-list", "died", shell('exec "$@" > /dev/full', "list", "factors"), sentence(4)),
    Try("stdout-full-report", "died", stored_report('exec "$@" > /dev/full'), sentence(4)),
    Try("stdout-closed-run", "died", shell('exec "$@" >&-'), code(0) | sentence(4)),
    Try("stdout-closed-report", "died", stored_report('exec "$@" >&-'), code(0) | sentence(4)),
    Try("stderr-closed", "died", shell('exec "$@" 2>&-'), code(0)),
    Try("all-closed", "died", shell('exec "$@" <&- >&- 2>&-'), code(0, 4)),
    Try("stdin-closed", "died", shell('exec "$@" <&-'), code(0) & says("clean")),
    Try("report-read-only-disk", "died", read_only_report, sentence(2, 4, naming="r.html|read-only|Read-only")),
    Try("report-ascii", "died", stored_report('exec "$@"', LC_ALL="C", PYTHONIOENCODING="ascii"), code(0) & QUIET),
    Try(
        "list-ascii",
        "died",
        lambda day: day.call("list", "factors", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}),
        code(0),
    ),
    Try(
        "run-ascii",
        "died",
        lambda day: day.call(*RUN, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}),
        code(0) & QUIET,
    ),
    Try(
        "cwd-deleted-run",
        "died",
        shell('mkdir gone && cd gone && rmdir ../gone && exec "$@"'),
        sentence(2, 4, naming="folder|director"),
    ),
    Try(
        "cwd-deleted-list",
        "died",
        shell('mkdir gone && cd gone && rmdir ../gone && exec "$@"', "list"),
        code(0) | sentence(2, 4),
    ),
    Try("ulimit-memory", "died", shell('ulimit -v 400000; exec "$@"'), clean() | code(0) | sentence(2, 3, 4)),
    Try("ulimit-files-64", "died", shell('ulimit -n 64; exec "$@"'), code(0) | sentence(2, 3, 4, naming="file|ulimit")),
    Try("ulimit-files-16", "died", shell('ulimit -n 16; exec "$@"'), code(0) | sentence(2, 3, 4, naming="file|ulimit")),
    Try("ulimit-file-size", "died", shell('ulimit -f 64; exec "$@"'), code(0) | sentence(2, 3, 4)),
    Try("bom-locustfile", "died", text_file(b"\xef\xbb\xbf" + load().encode(), "--locustfile", "mine.py"), clean()),
    Try("latin-locustfile", "died", text_file((LATIN + load()).encode("latin-1"), "--locustfile", "mine.py"), clean()),
    Try("crlf-locustfile", "died", text_file(load().replace("\n", "\r\n"), "--locustfile", "mine.py"), clean()),
    Try("locustfile-odd-name", "died", text_file(load(), "--locustfile", "mi ne 'ü\n.py"), clean() | refused("mi ne")),
    Try(
        "bom-toml-run",
        "died",
        text_file(b"\xef\xbb\xbf" + TOML.encode(), "", "mine.toml"),
        clean() | refused("mine.toml"),
    ),
    Try("grandchild-empty-environment", "died", lambda day: day.load(load(top=GRANDCHILD)), not_hang()),
    Try("cache-is-a-file", "died", file_for_folder(""), sentence(2, 4, naming="cache")),
    Try("environments-is-a-file", "died", file_for_folder("environments"), sentence(2, 4, naming="cache|environments")),
    Try(
        "forks-without-end", "died", files_left, fact(f"at most {MOST_FILES} files kept", "has_few", True) & not_hang()
    ),
    Try("prints-a-gigabyte", "died", gigabyte, fact("under 200 MB kept", "is_small", True) & not_hang()),
    Try("fills-its-disk", "died", disk_filled, not_hang() | sentence(4, naming="space|full")),
    *(Try(name, "died", under(env), right & QUIET) for name, (env, right) in SURROUNDINGS.items()),
)
