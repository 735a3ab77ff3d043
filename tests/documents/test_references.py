"""What the documents refer to is there: files that they link, headings, paths in code, commands and their options."""

import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from repro.cli import cli

ROOT = Path(__file__).parents[2]
OUTPUTS = ROOT / "docs" / "examples"
FOLDERS = ("docs", "scenarios")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
WRITTEN = [path for path in DOCUMENTS if not path.is_relative_to(OUTPUTS)]

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
INDENTED = re.compile(r"^ {4}(.*)$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|[\s/;&|])(repro [^|;>]*)")
FILE = re.compile(r"^(?:repro|benchmarks|docs|scenarios|tests)/[a-z0-9_./-]+\.\w+$")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(FENCED.sub("", text)))
    return {heading.strip().replace(" ", "-") for heading in plain}


def code_of(text: str) -> list[str]:
    """Every piece of code: spans, and the lines of blocks. A line that ends with a backslash goes on in the next one."""
    blocks = "\n".join(FENCED.findall(text) + INDENTED.findall(text)).replace("\\\n", " ")
    return SPAN.findall(FENCED.sub("", text)) + blocks.splitlines()


def words_of(command: str) -> list[str]:
    """The words of a command without a comment on it, up to ``--``: what comes after that is another program's."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        words = command.split()
    return words[: words.index("--")] if "--" in words else words


def commands_of(text: str) -> list[list[str]]:
    return [words_of(found) for piece in code_of(text) for found in COMMAND.findall(piece)]


def options_of(command: click.Command) -> set[str]:
    given = {name for parameter in command.params for name in parameter.opts}
    return given | {"--help", "-h"} | ({"--version"} if command is cli else set())


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words call, and the words that remain."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"repro has no command {words[0]!r}"
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    for link in LINK.findall(FENCED.sub("", document.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (document.parent / file).resolve() if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


@pytest.mark.parametrize("document", WRITTEN, ids=name_of)
def test_a_file_that_is_named_in_code_is_there(document: Path) -> None:
    named = {word for piece in code_of(document.read_text("utf-8")) for word in words_of(piece) if FILE.match(word)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", WRITTEN, ids=name_of)
def test_a_command_and_its_options_exist(document: Path) -> None:
    for words in commands_of(document.read_text("utf-8")):
        command, rest = command_of(words[1:])
        named = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert named <= options_of(command), " ".join(words)


def test_the_documents_name_commands() -> None:
    """Otherwise the test above would hold because it found nothing."""
    assert len(commands_of((ROOT / "README.md").read_text("utf-8"))) > 10
