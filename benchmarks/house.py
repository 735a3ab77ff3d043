"""How the house stands: what can be counted about ``repro``'s own source, as a Markdown table.

    python benchmarks/house.py                  of this checkout
    python benchmarks/house.py --against PATH   before and after: PATH is another checkout, as `git worktree` makes
    python benchmarks/house.py --list WHAT      each place of one row, to look at; `--list help` names the rows

What is counted, all from the syntax tree and never from a run:

*room*: a folder under ``repro/`` with modules of its own; ``__init__`` and ``__main__`` are not counted as files.
*function*: each ``def``, methods and inner ones too, from the ``def`` to its last line, the docstring among them.
*class name used twice*: a class at the top of a module whose name another module's class has, too.
*gerund*: a module whose name ends in -ing and that is not in ``NOUNS``.
*a text taken apart*: in cli, presentation, orchestration and core, a call of a method in ``TAKES_APART``, a call of
``re``'s functions or of a compiled pattern (its name in capitals), or ``in`` with a literal text before it. A syntax
tree knows no types: a mapping's key before ``in`` is counted, and so is the text of a user or of another program, which
somebody has to take apart. Each is a place to look at, not a fault.
*sentence*: a text of four words or more in core, no docstring, that stands neither in a ``raise`` nor in the making
of an error.
"""

import argparse
import ast
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

WIDTH = 120
WORDS_OF_A_SENTENCE = 4
NOUNS = {"shrinking": "the name of the technique, as in Hypothesis and shrinkray"}
LAYERS = ("cli", "presentation", "orchestration", "core")  # where texts are for people; world reads other programs
TAKES_APART = {"split", "rsplit", "partition", "rpartition", "startswith", "endswith", "removeprefix", "removesuffix"}
READS_A_PATTERN = {"match", "search", "fullmatch", "findall", "finditer"}
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*[.,;:)]?")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """A line of a checkout, and the room that it stands in."""

    room: str
    where: str
    what: str = ""


@dataclass(frozen=True)
class Module:
    """One file of ``repro``, read."""

    path: Path
    root: Path

    @property
    def room(self) -> str:
        """Its folder, as ``core/judge``; ``.`` for the top."""
        return self.path.parent.relative_to(self.root / "repro").as_posix()

    @property
    def layer(self) -> str:
        """The first folder of the room."""
        return self.room.split("/", maxsplit=1)[0]

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    def place(self, line: int, what: str = "") -> Place:
        """A line of it."""
        return Place(self.room, f"{self.path.relative_to(self.root)}:{line}", what)

    def found(self, kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> list[Any]:
        """All nodes of a kind, from the top of the file to its end."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, kind)]
        return sorted(nodes, key=lambda node: getattr(node, "lineno", 0))


def modules_of(root: Path) -> list[Module]:
    """All modules of ``repro`` in a checkout."""
    return [Module(path, root) for path in sorted((root / "repro").rglob("*.py"))]


def long_lines(module: Module) -> Iterator[Place]:
    """Lines that are wider than the house allows."""
    for number, line in enumerate(module.text.splitlines(), start=1):
        if len(line) > WIDTH:
            yield module.place(number, f"{len(line)} columns")


def texts_taken_apart(module: Module) -> Iterator[Place]:
    """Places where a text may be asked for what it says."""
    if module.layer not in LAYERS:
        return
    for node in module.found((ast.Call, ast.Compare)):
        if isinstance(node, ast.Call) and _takes_apart(node):
            yield module.place(node.lineno, ast.unparse(node.func))
        if isinstance(node, ast.Compare) and _is_text_within(node):
            yield module.place(node.lineno, ast.unparse(node))


def _takes_apart(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    owner, method = call.func.value, call.func.attr
    if method in TAKES_APART:
        return not isinstance(owner, ast.Constant)  # a list that is written as a text of words
    is_pattern = isinstance(owner, ast.Name) and (owner.id == "re" or owner.id.isupper())
    return is_pattern and (method in READS_A_PATTERN or (method == "sub" and owner.id == "re"))


def _is_text_within(comparison: ast.Compare) -> bool:
    operator, right = comparison.ops[0], comparison.comparators[0]
    if not isinstance(operator, ast.In | ast.NotIn) or isinstance(right, ast.Tuple | ast.List | ast.Set | ast.Dict):
        return False
    left = comparison.left
    return isinstance(left, ast.JoinedStr) or (isinstance(left, ast.Constant) and isinstance(left.value, str))


def gerunds(module: Module) -> Iterator[Place]:
    """The module itself, if its name says what is done instead of what there is."""
    if module.path.stem.endswith("ing") and module.path.stem not in NOUNS:
        yield module.place(1, module.path.stem)


def sample_signatures(module: Module) -> Iterator[Place]:
    """Functions that are handed a sample."""
    for function, parameter in _parameters(module):
        if parameter.arg == "sample":
            yield module.place(function.lineno, function.name)


def bare_mappings(module: Module) -> Iterator[Place]:
    """Parameters that are a record without a name."""
    for function, parameter in _parameters(module):
        if re.search(r"([Mm]apping|dict)\[str, Any\]", ast.unparse(parameter.annotation or ast.Constant(""))):
            yield module.place(function.lineno, f"{function.name}: {parameter.arg}")


def _parameters(module: Module) -> Iterator[tuple[Function, ast.arg]]:
    for function in module.found((ast.FunctionDef, ast.AsyncFunctionDef)):
        arguments = function.args
        for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            yield function, parameter


def sentences(module: Module) -> Iterator[Place]:
    """Texts in core that read as English."""
    if module.layer != "core":
        return
    passed_over = {id(part) for node in module.found(ast.AST) for part in _no_sentence_in(node)}
    for node in module.found((ast.Constant, ast.JoinedStr)):
        if id(node) not in passed_over and _words(_text_of(node)) >= WORDS_OF_A_SENTENCE:
            yield module.place(node.lineno, _text_of(node)[:80])


def _no_sentence_in(node: ast.AST) -> Iterator[ast.AST]:
    """The parts whose texts are not counted: docstrings, errors, the inside of another text, a list written as one."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error")):
        yield from ast.walk(node)
    if isinstance(node, ast.JoinedStr):
        yield from (part for part in ast.walk(node) if part is not node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
        yield node.func.value


def _text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"


def _words(text: str) -> int:
    return sum(WORD.fullmatch(word) is not None for word in text.split())


PLACES: dict[str, Callable[[Module], Iterator[Place]]] = {
    f"lines over {WIDTH} columns": long_lines,
    "gerund modules": gerunds,
    "places that take a text apart": texts_taken_apart,
    "signatures with `sample`": sample_signatures,
    "parameters that are `Mapping[str, Any]`": bare_mappings,
    "sentences in core": sentences,
}


@dataclass(frozen=True)
class House:
    """One checkout, counted."""

    modules: list[Module]

    @property
    def rooms(self) -> Counter[str]:
        """How many files a room has."""
        return Counter(module.room for module in self.modules if not module.path.stem.startswith("__"))

    def places(self, what: str) -> list[Place]:
        """All places that a row counts."""
        return [place for module in self.modules for place in PLACES[what](module)]

    def functions(self) -> list[tuple[int, str]]:
        """The lines of each function and where it is, the shortest first."""
        return sorted(
            (node.end_lineno - node.lineno + 1, f"{module.path.name}:{node.name}")
            for module in self.modules
            for node in module.found((ast.FunctionDef, ast.AsyncFunctionDef))
        )

    def classes_used_twice(self) -> dict[str, list[str]]:
        """Names of classes that stand for more than one thing, with their modules."""
        homes: dict[str, list[str]] = defaultdict(list)
        for module in self.modules:
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef):
                    homes[node.name].append(module.path.name)
        return {name: files for name, files in sorted(homes.items()) if len(files) > 1}

    def rows(self) -> dict[str, str]:
        """Each row's label and what it comes to."""
        (largest, files), *_ = self.rooms.most_common(1)
        functions = self.functions()
        lengths = [length for length, _ in functions]
        double = self.classes_used_twice()
        return {
            "files": f"{sum(self.rooms.values())}",
            "rooms": f"{len(self.rooms)}",
            "files in the largest room": f"{files} (`{largest}/`)",
            "lines of the longest file": _longest_file(self.modules),
            "functions": f"{len(functions)}",
            "lines a function, median": f"{statistics.median(lengths):.0f}",
            "… 90th percentile": f"{lengths[len(lengths) * 9 // 10]}",
            "… longest": f"{lengths[-1]} (`{functions[-1][1]}`)",
            "class names used twice": f"{len(double)}" + (f" ({', '.join(double)})" if double else ""),
            **{what: f"{len(self.places(what))}" for what in PLACES},
        }


def _longest_file(modules: list[Module]) -> str:
    lines, name = max((len(module.text.splitlines()), module.path.name) for module in modules)
    return f"{lines} (`{name}`)"


def table(houses: list[House]) -> str:
    """The counts of one house, or of two beside one another, and where texts are taken apart."""
    heads = ["", "before", "after"][: 1 + len(houses)] if len(houses) > 1 else ["", "now"]
    all_rows = [house.rows() for house in houses]
    apart = [Counter(place.room for place in house.places("places that take a text apart")) for house in houses]
    rooms = sorted({room for house in houses for room in house.rooms})
    lines = [_line(heads), _line(["---"] * len(heads))]
    lines += [_line([label, *(rows[label] for rows in all_rows)]) for label in all_rows[0]]
    lines += ["", "Files a room, and beside them the places there that take a text apart:", ""]
    lines += [_line(["room", *heads[1:]]), _line(["---"] * len(heads))]
    for room in rooms:
        counts = zip(houses, apart, strict=True)
        lines.append(_line([f"`{room}/`", *(_files(house.rooms[room], texts[room]) for house, texts in counts)]))
    return "\n".join(lines)


def _files(files: int, texts: int) -> str:
    return "" if not files else f"{files}" + (f" ({texts})" if texts else "")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table, or the places of one row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1], help="the checkout (this one)")
    parser.add_argument("--against", type=Path, help="a checkout to stand beside it, as before")
    parser.add_argument("--list", dest="what", help="print the places of one row instead")
    options = parser.parse_args()
    if options.what:
        _print_places(House(modules_of(options.root)), options.what)
        return
    roots = [options.against, options.root] if options.against else [options.root]
    print(table([House(modules_of(root.resolve())) for root in roots]))


def _print_places(house: House, what: str) -> None:
    if what not in PLACES:
        sys.exit("--list takes one of: " + "; ".join(PLACES))
    for place in house.places(what):
        print(f"{place.where}  {place.what}")


if __name__ == "__main__":
    main()
