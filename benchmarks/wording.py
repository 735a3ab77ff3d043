"""How long the lines and the sentences are that a user reads: ``python benchmarks/wording.py [RUN…]``.

Measures the help of every command, the Markdown documents that are written by hand, and what the terminal shows of the
stored runs under ``docs/examples/runs`` and of each RUN's folder, at 80, 100 and 200 columns. Prints the longest line
and the longest sentence of each, and how many sentences have more than 25 words.

A sentence ends with a full stop or a question mark before a space, or with its paragraph. Code, tables and commands are
not sentences.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent / "samples"))
from runs import ROOT, names, unpacked  # beside the samples

from repro.cli import cli
from repro.model import StoredRun
from repro.presentation.console import summary
from repro.presentation.hunt.answers import block_of
from repro.world.runs.store import read_run

MOST_WORDS = 25
WIDTHS = (80, 100, 200)
COMMANDS = ("command:", "hang:", "Evidence:", "Next:", "Reproduce it:")
"""What is pasted into a shell, and therefore never wrapped."""
_END = re.compile(r"(?<=[.?!])\s+")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Text:
    """What is measured: its name, its lines, and its paragraphs with each line of a paragraph joined to the next."""

    name: str
    lines: Sequence[str]
    paragraphs: Sequence[str]


def main(folders: Sequence[str]) -> None:
    """Print the table."""
    print(
        "| what | longest line | longest sentence, words | sentences over 25 words | the longest begins |\n|---|---|---|---|---|"
    )
    for text in [*_helps(), *_documents(), *_runs(folders)]:
        sentences = [sentence for paragraph in text.paragraphs for sentence in _END.split(paragraph)]
        longest = max(sentences, key=_words, default="")
        many = sum(_words(one) > MOST_WORDS for one in sentences)
        line = max(map(len, text.lines), default=0)
        print(f"| {text.name} | {line} | {_words(longest)} | {many} of {len(sentences)} | {longest[:60]} |")


def _words(sentence: str) -> int:
    return len(sentence.split())


def _helps() -> Iterator[Text]:
    """The help of each command, at 100 columns; its examples are not sentences."""
    for name in ("", *cli.list_commands(click.Context(cli))):
        command = cli if not name else cli.get_command(click.Context(cli), name)
        assert command is not None  # noqa: S101  # it is one of its own list
        context = click.Context(command, info_name=f"repro {name}".strip(), max_content_width=100, terminal_width=100)
        said = [command.help or "", *(getattr(one, "help", "") or "" for one in command.params)]
        paragraphs = [" ".join(part.split()) for text in said for part in text.split("\n\n")]
        yield Text(f"`repro {name}".strip() + " --help`", command.get_help(context).splitlines(), paragraphs)


def _documents() -> Iterator[Text]:
    written = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for path in written:
        if path.parent.name != "examples":
            plain = _LINK.sub(r"\1", _FENCE.sub("", path.read_text("utf-8")))
            yield Text(path.relative_to(ROOT).as_posix(), path.read_text("utf-8").splitlines(), list(_prose(plain)))


def _prose(text: str) -> Iterator[str]:
    """The paragraphs and the points of a list, a line each; neither code, headings nor tables."""
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        if not line.strip() or line.startswith(("#", "|", "    ", "<!--", "- ", "* ")) or re.match(r"\d+\. ", line):
            if paragraph:
                yield " ".join(paragraph)
            paragraph = []
        if line.strip() and not line.startswith(("#", "|", "    ", "<!--")):
            paragraph.append(_SPAN.sub("code", line.strip().removeprefix("- ")))


def _runs(folders: Sequence[str]) -> Iterator[Text]:
    for name in names():
        with unpacked(name) as folder:
            yield from _run(name, read_run(folder))
    for folder_ in folders:
        yield from _run(Path(folder_).name, read_run(Path(folder_)))


def _run(name: str, run: StoredRun) -> Iterator[Text]:
    whole = "\n".join(_shown(run, 10_000))
    prose = [line.strip() for line in whole.splitlines() if not line.startswith(("clean", "hang", "crash", *COMMANDS))]
    for width in WIDTHS:
        lines = [line for line in _shown(run, width) if not line.startswith(COMMANDS)]
        yield Text(f"{name}, {width} columns", lines, prose)


def _shown(run: StoredRun, width: int) -> list[str]:
    if run.hunt is not None:
        return block_of(run.hunt, run.cells, command=run.command, width=width).splitlines()
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    summary(screen, run)
    return screen.file.getvalue().splitlines()  # type: ignore[attr-defined]  # the one from above


if __name__ == "__main__":
    main(sys.argv[1:])
