"""Secrets that a locustfile prints, has in its literals or sends: none may stand in what is handed on."""

import random
import shutil
import string
from collections.abc import Callable
from pathlib import Path

from day import CannotTry, Day, Outcome
from loads import load
from right import code, fact
from table import Try

LETTERS = string.ascii_letters + string.digits


def part(name: str, length: int, alphabet: str = LETTERS) -> str:
    """The secret part of a shape, the same at every call and another for each name."""
    return "".join(random.Random(name).choices(alphabet, k=length))


HEX, DIGITS, CAPITALS = string.hexdigits[:16], string.digits, string.ascii_uppercase + "234567"
# Prefixes in two parts each, so that nobody's scanner takes this file for a leak: prefix, secret part, what follows.
PIECES = {
    "stripe": ("sk_" + "live_", part("stripe", 24), ""),
    "google": ("AI" + "za", part("google", 35), ""),
    "github": ("gh" + "p_", part("github", 36), ""),
    "github-fine": ("github_" + "pat_", part("fine", 22) + "_" + part("fine2", 59), ""),
    "gitlab": ("gl" + "pat-", part("gitlab", 20), ""),
    "slack": ("xo" + "xb-" + part("slack", 12, DIGITS) + "-", part("slack2", 24), ""),
    "slack-hook": ("https://hooks." + "slack.com/services/T024BE7LD/B0K9XSPJ4/", part("hook", 24), ""),
    "openai": ("sk-" + "proj-", part("openai", 48), ""),
    "npm": ("np" + "m_", part("npm", 36), ""),
    "pypi": ("py" + "pi-AgEIcHlwaS5vcmc", part("pypi", 60), ""),
    "sendgrid": ("S" + "G." + part("grid", 22) + ".", part("grid2", 43), ""),
    "jwt": ("ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + "JzdWIiOiIxMjM0In0.", part("jwt", 43), ""),
    "aws-key": ("AK" + "IA", part("aws", 16, CAPITALS), ""),
    "aws-secret": ("aws_secret_access_key=", part("aws2", 40), ""),
    "url-password": ("postgres://load:", part("url", 18), "@db.internal:5432/load"),
    "bearer": ("Authorization: Bearer ", part("bearer", 30), ""),
    "private-key": (
        "-----BEGIN RSA " + "PRIVATE KEY----- MIIEow",
        part("key", 64),
        " -----END RSA " + "PRIVATE KEY-----",
    ),
    "twilio": ("S" + "K", part("twilio", 32, HEX), ""),
    "basic-header": ("Authorization: Basic ", part("basic", 28), ""),
    "password-setting": ("password=", part("word", 16), ""),
}
SHAPES = {name: "".join(pieces) for name, pieces in PIECES.items()}
ATTRIBUTE = "patient-7741-mrs-ottoline-braithwaite"
FORMATS = ("md", "json", "html", "junit")
HANGS = (
    "import gevent.event\n"
    "if not SECRETS_TOLD:\n    SECRETS_TOLD.append(1)\n    for name, secret in SECRETS.items():\n"
    "        print(secret, flush=True); print(secret, file=sys.stderr, flush=True)\n"
    f'self.sqs.send_message(QueueUrl=self.url, MessageBody="x", MessageAttributes={{"who": {{"DataType": "String", "StringValue": {ATTRIBUTE!r}}}}})\n'
    "gevent.event.Event().wait()"
)


def stored(day: Day) -> Outcome:
    """The small run that all tries on reports share: its users print secrets, send an attribute and never end."""
    text = load(top=f"SECRETS = {SHAPES!r}\nSECRETS_TOLD = []\n", work=HANGS)
    return day.load(text, "--jobs", "1")


def crashes(day: Day) -> Path:
    """A run with a cell for each shape, which dies with the secret in its last words: reports quote those."""
    kept = day.folder.with_name("crashes")
    if not kept.exists():
        text = load(top=f'SECRETS = {SHAPES!r}\nraise RuntimeError("refused: " + SECRETS[os.environ["SHAPE"]])')
        came = day.load(text, "--set", f"env.SHAPE={','.join(SHAPES)}", "--jobs", "1")
        if set(came.verdicts) != {"crash"}:
            raise CannotTry(f"the run whose cells die came to {came.verdicts}: {came.stderr[-300:]}")
        shutil.move(day.out, kept)
    return kept


def seen_in_reports(secret: str) -> Callable[[Day], Outcome]:
    """The run of crashes in each format, searched for the secret; that without redaction it is there proves the search."""

    def make(day: Day) -> Outcome:
        run, found, quoted = str(crashes(day)), [], []
        for name in FORMATS:
            came, text = _report(day, run, name)
            if came.code or secret in text:
                found.append(name)
            if secret in _report(day, run, name, "--no-redact")[1]:
                quoted.append(name)
        if not quoted:
            raise CannotTry("no report quotes this secret, not even one that is not redacted")
        return with_facts(came, leaks=", ".join(found))

    return make


def _report(day: Day, run: str, name: str, *more: str) -> tuple[Outcome, str]:
    path = day.folder / f"report.{name}"
    came = day.call("report", run, "--format", name, "-o", str(path), *more)
    return came, came.told + _text(path)


def seen_in_export(*secrets: str) -> Callable[[Day], Outcome]:
    """The exported file of the stored run, searched for these."""

    def make(day: Day) -> Outcome:
        target = day.folder / "bug"
        came = day.call("export", str(day.copy_stored()), "-o", str(target), "--proof", "0", "--no-reduce")
        texts = "".join(_text(path) for path in target.rglob("*")) if target.is_dir() else ""
        found = [secret[:6] + "…" for secret in secrets if secret in texts + came.told]
        return with_facts(came, leaks=", ".join(found) if texts else "nothing was exported", may_hang=True)

    return make


def seen_in_run_json(day: Day) -> Outcome:
    """``run --json`` itself, searched for all of them."""
    came = stored(day)
    found = [name for name, (_, secret, _) in PIECES.items() if secret in came.told]
    return with_facts(came, leaks=", ".join([*found, *(["attribute"] if ATTRIBUTE in came.told else [])]))


def crash_json(day: Day) -> Outcome:
    """``run --json`` of cells that die with secrets in their last words."""
    text = load(top=f'SECRETS = {SHAPES!r}\nraise RuntimeError("refused: " + SECRETS[os.environ["SHAPE"]])')
    came = day.load(text, "--set", f"env.SHAPE={','.join(list(SHAPES)[:6])}", "--jobs", "1")
    return with_facts(came, leaks=", ".join(name for name, (_, secret, _) in PIECES.items() if secret in came.stdout))


def short_host(day: Day) -> Outcome:
    """Reports of a run on a machine whose name has two letters: it is redacted, and words that hold it are not."""
    prefix = ("unshare", "--uts", "sh", "-c", 'hostname qz && exec "$@"', "sh")
    text = load(top='raise RuntimeError("served by qz today")')
    came = day.load(text, prefix=prefix)
    if "unshare" in came.stderr:
        raise CannotTry("host names cannot be unshared here")
    report = day.call("report", str(day.out), "--format", "json", prefix=prefix)
    return with_facts(report, leaks="host" if "served by qz today" in report.stdout else "")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def with_facts(came: Outcome, **facts: object) -> Outcome:
    """The outcome with a try's own findings."""
    return Outcome(came.code, came.stdout, came.stderr, came.seconds, facts=facts)


NONE_LEAKS = fact("the secret is nowhere", "leaks", "")
TRIES = (
    *(
        Try(f"reports-{name}", "leaked", seen_in_reports(secret), NONE_LEAKS & code(0), timeout_s=180)
        for name, (_, secret, _) in PIECES.items()
    ),
    *(
        Try(f"export-{name}", "leaked", seen_in_export(secret), NONE_LEAKS & code(0, 1, 3))
        for name, (_, secret, _) in PIECES.items()
    ),
    Try("export-attribute", "leaked", seen_in_export(ATTRIBUTE), NONE_LEAKS & code(0, 1, 3)),
    Try("run-json-crash-secrets", "leaked", crash_json, NONE_LEAKS & code(0, 3)),
    Try("run-json-secrets", "leaked", seen_in_run_json, NONE_LEAKS & code(1)),
    Try("host-of-two-letters", "leaked", short_host, NONE_LEAKS & code(0)),
)
