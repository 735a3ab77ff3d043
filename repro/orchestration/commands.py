"""From a command that somebody typed to what its cells need: interpreter, folder, variables, and what must be said."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.command import CommandInFolder, CommandLine, Program, Typed
from repro.core.command.locust_options import completed, settings_in, settings_in_toml, settings_of_variables
from repro.core.command.parser import parse
from repro.core.command.variables import is_aws_own, passed, read_by, texts_in, withheld
from repro.core.experiment.experiment import ScenarioInfo
from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.names import SECRET_NAME
from repro.errors import UsageError
from repro.model import BaseEnvironment, Cell
from repro.world.commands.folder import Folder, folder_of
from repro.world.commands.programs import find
from repro.world.commands.sources import check_syntax, text_or_nothing
from repro.world.environments.base import read_base
from repro.world.runs.kept.load import sources_of

USUAL_FILE = "locustfile"
LOCUST_FILES = ("locust.conf", "pyproject.toml")
USERS_OF_THE_WEB_UI = 20
"""The web UI asks for them when the load begins; enough to be a crowd."""
MOST_NAMED = 12
SECONDS_OF_TESTS = 60
LONG_S = 300
"""A load of so long is named: there are several trials."""
SHAPE = "(LoadTestShape)"
WEB_UI = "web_ui"
"""What of a locustfile adds to the web UI, by ``environment.web_ui.app``."""


@dataclass(frozen=True, kw_only=True)
class CommandRequest:
    """What was typed after ``--``, and which of the shell's variables are passed on besides."""

    words: tuple[str, ...]
    names: tuple[str, ...] = ()
    has_no_variables: bool = False


@dataclass(frozen=True, kw_only=True)
class PreparedCommand:
    """A command that can be run: its words, its environment, what is copied, what is passed on, and what to say."""

    line: CommandLine
    base: BaseEnvironment
    folder: Folder
    locustfile: Path
    typed_in: Typed
    script: str
    variables: Mapping[str, str]
    home: tuple[Path, ...]
    sources: str
    notices: tuple[str, ...]

    @property
    def info(self) -> ScenarioInfo:
        """What an experiment must know of it."""
        typed = self.line.locustfiles[0] if self.line.is_locust and self.line.locustfiles else ""
        name = Path(typed).stem or self.locustfile.stem or Path(self.line.target).name
        return ScenarioInfo(
            name=name or self.line.program.value,
            identity=shlex.join(self.line.words),
            requires=(),
            base=self.base,
            summary=shlex.join(self.line.words),
        )

    def check_has_locust(self, cells: Sequence[Cell]) -> None:
        """Refuse cells of the ``locust`` command without Locust.

        Raises:
            UsageError: their environment does not have it, and nothing asks for it.
        """
        if not self.line.is_locust or "locust" in {*self.base.versions, *self.base.local}:
            return
        if any("locust" not in {*cell.environment.pins, *cell.environment.requires} for cell in cells):
            raise UsageError(
                f"{self.base.interpreter}: Locust is not installed in this environment; activate the one that has it, "
                "give its interpreter with --python, or add --set locust=VERSION"
            )

    @property
    def inputs(self) -> dict[str, str]:
        """The digests of the files that it is made of."""
        return self.folder.digests()

    def in_run(self, kept: Path) -> CommandInFolder:
        """The command as trials have it, the run's copy of the folder being in ``kept``."""
        return CommandInFolder(
            line=self.line,
            folder=kept.resolve(),
            place=self.folder.place,
            script=self.script,
            variables=self.variables,
            home=self.home,
            has_web_ui=self.line.is_locust and not self.line.is_headless and WEB_UI in self.sources,
        )


def prepare_command(request: CommandRequest, *, python: Path | None, varied: Collection[str] = ()) -> PreparedCommand:
    """The command, once everything that it needs is there; ``varied`` are the factors that ``--set`` gives.

    Raises:
        UsageError: it cannot be run; one sentence with the next step.
    """
    here = Path.cwd()
    cores = os.cpu_count() or 1
    line = parse(request.words, cores=cores)
    found = find(line, folder=here, python=python)
    shell = {**os.environ, **line.variables}
    home = _home_files() if line.is_locust else ()
    settings = _settings(line, here, home, shell) if line.is_locust else {}
    line = completed(line, settings, cores=cores)
    given = {*line.levels, *varied}
    line = _with_levels(line)
    base = read_base(found.interpreter)
    files = _files(line, here, settings)
    check_syntax(base.interpreter, files)
    folder = folder_of(here)
    line, script, outside = _inside(line, folder, here, found.script, files)
    texts = [text_or_nothing(path) for path in _readable(folder, files)]
    named = _named_files(folder, texts, here)
    folder = folder.with_files(
        [*filter(None, (folder.within(path) for path in files)), *named, *_dotenvs(folder, here)]
    )
    read = {name for text in texts for name in read_by(text)}
    variables = _variables(request, shell, read, line)
    notices = (
        *_of_command(line, given, varied=varied, has_shape=_has_shape(files, here, shell)),
        *_of_environment(base, line),
        *_of_folder(folder, named, outside),
        *_of_variables(variables, withheld(shell, read), request),
    )
    return PreparedCommand(
        line=line,
        base=base,
        folder=folder,
        locustfile=files[0].resolve() if files else Path(),
        typed_in=_typed_in(line, folder, files, variables),
        script=script,
        variables=variables,
        home=home,
        sources="\n".join(texts),
        notices=notices,
    )


def _typed_in(line: CommandLine, folder: Folder, files: Sequence[Path], variables: Mapping[str, str]) -> Typed:
    """What the run keeps of where it was typed; values that are secret by their names are not kept."""
    is_one = line.is_locust and len(files) == 1 and folder.within(files[0]) is not None
    here = folder.root / folder.place
    return Typed(
        place=folder.place,
        locustfile=os.path.relpath(files[0], here) if is_one else "",
        configs=line.configs,
        variables={
            name: Marker.SECRET.value if re.fullmatch(SECRET_NAME, name, re.IGNORECASE) else value
            for name, value in variables.items()
        },
    )


# Locust's own files and variables


def _home_files() -> tuple[Path, ...]:
    file = Path.home() / ".locust.conf"
    return (file,) if file.is_file() else ()


def _settings(line: CommandLine, here: Path, home: Sequence[Path], shell: Mapping[str, str]) -> dict[str, str]:
    """What Locust's files and variables say, what counts more last."""
    found: dict[str, str] = {}
    for path in (*home, *(here / name for name in LOCUST_FILES), *(here / name for name in line.configs)):
        if path.is_file():
            text = text_or_nothing(path)
            found |= settings_in_toml(text) if path.suffix == ".toml" else settings_in(text)
        elif path.name not in LOCUST_FILES:
            raise UsageError(f"the command's --config {path} does not exist; check the path")
    return {**found, **settings_of_variables(shell)}


def _with_levels(line: CommandLine) -> CommandLine:
    """The levels that a cell has where neither command nor file gives them."""
    if not line.is_locust:
        time: dict[str, int] = {"seconds": SECONDS_OF_TESTS} if _is_pytest(line) else {}
        return replace(line, levels={"launch": "script", "users": 1, **time, **line.levels})
    usual: dict[str, str | int | float] = (
        {"users": 1, "spawn_rate": 1} if line.is_headless else {"users": USERS_OF_THE_WEB_UI, "spawn_rate": 0}
    )
    return replace(line, levels={**usual, **line.levels})


def _is_pytest(line: CommandLine) -> bool:
    """Whether it runs tests, which end by themselves, however long they take."""
    return Path(line.target).name in {"pytest", "py.test"}


# The files


def _files(line: CommandLine, here: Path, settings: Mapping[str, str]) -> list[Path]:
    """The Python files that the command names: the locustfiles, or the program."""
    if line.program in {Program.MODULE, Program.SCRIPT}:
        return []
    if line.program is Program.FILE:
        path = here / line.target
        if path.is_dir() and (path / "__main__.py").is_file():
            return [path / "__main__.py"]
        if not path.is_file():
            raise UsageError(f"the command's file {line.target} does not exist; check the path")
        return [path]
    named = line.locustfiles or [one.strip() for one in settings.get("locustfile", USUAL_FILE).split(",")]
    found = [file for name in named if "://" not in name for file in _locustfiles(here / name, name)]
    return list(dict.fromkeys(found))


def _locustfiles(path: Path, name: str) -> list[Path]:
    """The files of one -f: a file with or without its ending, or all files of a folder."""
    if path.is_dir():
        inside = sorted(file for file in path.rglob("*.py") if not file.name.startswith("_"))
        if not inside:
            raise UsageError(f"the command's -f {name} is a folder without a Python file; give a locustfile")
        return inside
    for candidate in (path, path.with_name(f"{path.name}.py")):
        if candidate.is_file():
            return [candidate]
    if name == USUAL_FILE:
        raise UsageError("there is no locustfile.py in this folder; give the command's -f FILE, or change the folder")
    raise UsageError(f"the command's locustfile {name} does not exist; check the path")


def _inside(
    line: CommandLine, folder: Folder, here: Path, script: Path | None, files: Sequence[Path]
) -> tuple[CommandLine, str, tuple[Path, ...]]:
    """The command with paths that lead into the copy, and the files that lie outside of it."""
    outside = tuple(path for path in files if folder.within(path) is None)
    locustfile = ",".join(_led(name, folder, here) for name in line.locustfiles)
    target = _led(line.target, folder, here) if line.program is Program.FILE else line.target
    own = "" if script is None else str(script)
    if script is not None and folder.within(script) in set(folder.files):
        own = os.path.relpath(script, here)
    arguments = tuple(_led(word, folder, here) if word.startswith(os.sep) else word for word in line.arguments)
    return replace(line, locustfile=locustfile, target=target, arguments=arguments), own, outside


def _led(name: str, folder: Folder, here: Path) -> str:
    """A path as it is written from the copy of ``here``: a relative one as it is, an absolute one made relative."""
    path = Path(name)
    within = folder.within(path if path.is_absolute() else here / path)
    if within is None:
        return str(here / path) if (here / path).exists() else name
    return os.path.relpath(folder.root / within, here) if path.is_absolute() else name


def _readable(folder: Folder, files: Sequence[Path]) -> Iterator[Path]:
    yield from dict.fromkeys([*files, *folder.sources])


def _named_files(folder: Folder, texts: Sequence[str], here: Path) -> list[str]:
    """Files that the sources name and that git ignores: by hand they would be there."""
    if not folder.is_git:
        return []
    known = set(folder.files)
    found = []
    for text in sorted({one for source in texts for one in texts_in(source)}):
        if not _looks_like_a_file(text):
            continue
        for start in (here, folder.root):
            within = folder.within(start / text)
            if within and within not in known and (folder.root / within).is_file():
                found.append(within)
    return list(dict.fromkeys(found))


def _looks_like_a_file(text: str) -> bool:
    return "\0" not in text and "\n" not in text and "." in text and not text.startswith(("/", "~"))


def _dotenvs(folder: Folder, here: Path) -> Iterator[str]:
    for start in dict.fromkeys((here, folder.root)):
        within = folder.within(start / ".env")
        if within and (start / ".env").is_file():
            yield within


# The shell's variables


def _variables(request: CommandRequest, shell: Mapping[str, str], read: set[str], line: CommandLine) -> dict[str, str]:
    found = {} if request.has_no_variables else passed(shell, read)
    for word in request.names:
        name, sign, value = word.partition("=")
        if is_aws_own(name):
            raise UsageError(f"--env {name}: credentials and addresses of AWS are the backend's; leave it out")
        if not sign and name not in shell:
            raise UsageError(f"--env {name}: this shell does not have it; export it, or write --env {name}=VALUE")
        found[name] = value if sign else shell[name]
    return {**found, **{name: value for name, value in line.variables.items() if not is_aws_own(name)}}


# What must be said


def _of_command(
    line: CommandLine, given: Collection[str], *, varied: Collection[str], has_shape: bool
) -> Iterator[str]:
    if line.dropped:
        yield f"without effect here: {shlex.join(line.dropped)}"
    if not line.is_locust:
        most = "" if "seconds" in varied else f", or for at most {SECONDS_OF_TESTS} s"
        until = f"until it ends{most}" if _is_pytest(line) else "for the seconds of the load"
        yield f"the program is watched {until}; --set seconds=N changes that"
        return
    if not line.is_headless and "launch" not in line.levels:
        yield "the web UI is not started: the load runs headless"
    launch = line.levels.get("launch")
    if launch:
        yield f"the load runs as launch={launch}, all of its processes on this machine"
    if has_shape:
        yield "a LoadTestShape decides the users, and may end the load before its time"
    users, rate = line.levels["users"], line.levels["spawn_rate"]
    started = f"started at {rate} a second" if rate else "started at once"
    missing = {
        "users": "" if has_shape else f"no users: {users} {'is' if users == 1 else 'are'} {started}",
        "seconds": f"no run time: the load lasts {line.levels.get('seconds', 8)} s",
    }
    if texts := [text for factor, text in missing.items() if text and factor not in given]:
        yield f"the command gives {'; '.join(texts)} (--set users=N, --set seconds=N)"
    seconds = float(line.levels.get("seconds", 0))
    if seconds >= LONG_S and "seconds" not in varied:
        yield f"each trial lasts {seconds / 60:.0f} min, as the command says; --set seconds=30 is quicker"


def _has_shape(files: Sequence[Path], here: Path, shell: Mapping[str, str]) -> bool:
    return any(SHAPE in text for file in files for text in sources_of(file, here, shell))


def _of_environment(base: BaseEnvironment, line: CommandLine) -> Iterator[str]:
    locust = base.versions.get("locust")
    has = f", Locust {locust}" if locust and line.is_locust else ""
    yield f"the environment is that of {base.interpreter} (Python {base.python}{has})"


def _of_folder(folder: Folder, named: Sequence[str], outside: Sequence[Path]) -> Iterator[str]:
    which = "what git tracks or does not ignore" if folder.is_git else "without git, at most 500 MB"
    yield (f"each trial runs in a copy of {folder.root} ({_files_text(folder)}: {which})")
    if folder.too_large:
        yield f"{folder.too_large} is too large to be copied whole, so imports from above this folder do not resolve"
    if named:
        yield f"copied although git ignores them, for the sources name them: {_listed(named)}"
    if outside:
        yield f"outside of this folder, so used where they are: {_listed([str(path) for path in outside])}"


def _files_text(folder: Folder) -> str:
    count = len(folder.files)
    return f"{count:,} file{'' if count == 1 else 's'}, {folder.size / 1e6:.1f} MB"


def _of_variables(variables: Mapping[str, str], kept_back: Sequence[str], request: CommandRequest) -> Iterator[str]:
    if variables:
        yield f"passed on from this shell: {_listed(list(variables))}"
    if kept_back:
        yield f"not passed on, for the backend sets its own: {_listed(kept_back)}"
    if request.has_no_variables:
        yield "no variable of this shell is passed on but those of --env"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
