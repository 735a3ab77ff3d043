"""Which environment variables a source reads, and which of the shell's are passed on to a cell."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping

_AWS_OWN = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|PROFILE|DEFAULT_PROFILE|ENDPOINT_URL.*|"
    r"CONFIG_FILE|SHARED_CREDENTIALS_FILE|CREDENTIAL.*|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONTAINER_.*|"
    r"CA_BUNDLE|REGION|DEFAULT_REGION|EC2_METADATA.*|IGNORE_CONFIGURED_ENDPOINT_URLS|SSO_.*|DATA_PATH)"
    r"|AMAZON_.*_KEY.*|BOTO_CONFIG|LOCALSTACK_.*"
)
_CELLS_OWN = re.compile(
    r"REPRO_.*|PATH|HOME|PWD|OLDPWD|SHLVL|_|TMPDIR|PYTHONUNBUFFERED|PYTHONDONTWRITEBYTECODE|PYTHONHOME|VIRTUAL_ENV"
)
_BECOME_LEVELS = re.compile(
    r"LOCUST_(USERS|SPAWN_RATE|HATCH_RATE|RUN_TIME|HEADLESS|AUTOSTART|AUTOQUIT|PROCESSES|MODE_MASTER|MODE_WORKER|"
    r"EXPECT_WORKERS|EXPECT_WORKERS_MAX_WAIT|MASTER_.*|WEB_.*|UI_.*)"
)
_OF_LIBRARIES = re.compile(r"LOCUST_.*|GEVENT_.*|GREENLET_.*|PYTHONPATH|PYTHONHASHSEED|PYTHONWARNINGS|TZ|"
                           r"PYTEST_ADDOPTS|GUNICORN_CMD_ARGS|DJANGO_SETTINGS_MODULE|FLASK_APP")  # fmt: skip
_READERS = frozenset({"getenv", "config", "env"})
_METHODS = frozenset({"get", "pop", "setdefault", "getenv", "str", "int", "bool", "float", "list", "__getitem__"})
_HOLDERS = frozenset({"environ", "env", "os"})


def is_aws_own(name: str) -> bool:
    """Whether it says who calls AWS, and where AWS is: the cell has its own of each, and never the shell's."""
    return _AWS_OWN.fullmatch(name) is not None


def passed(shell: Mapping[str, str], read: Collection[str]) -> dict[str, str]:
    """The shell's variables that a cell gets: those that the sources read, and those that the libraries listen to."""
    return {
        name: value
        for name, value in sorted(shell.items())
        if (name in read or _OF_LIBRARIES.fullmatch(name)) and not is_aws_own(name) and not _is_kept_back(name)
    }


def withheld(shell: Collection[str], read: Collection[str]) -> list[str]:
    """What the sources read and the shell has, and no cell gets, for it is AWS's own."""
    return sorted(name for name in read if name in shell and is_aws_own(name))


def _is_kept_back(name: str) -> bool:
    return _CELLS_OWN.fullmatch(name) is not None or _BECOME_LEVELS.fullmatch(name) is not None


def read_by(source: str) -> set[str]:
    """The names of the variables that a Python source reads; none where it is not Python for this interpreter."""
    tree = _tree(source)
    return set(_names(tree)) if tree else set()


def texts_in(source: str) -> set[str]:
    """The short texts that a source names, which may be those of files."""
    tree = _tree(source)
    nodes = ast.walk(tree) if tree else ()
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 200
    }


def _tree(source: str) -> ast.AST | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is_holder(node.value):
            yield from _text(node.slice)
        elif isinstance(node, ast.Compare) and len(node.comparators) == 1 and _is_holder(node.comparators[0]):
            yield from _text(node.left)
        elif isinstance(node, ast.Call):
            if node.args and _is_reader(node.func):
                yield from _text(node.args[0])
            for keyword in node.keywords:
                if keyword.arg in {"env_var", "envvar"}:
                    yield from _text(keyword.value)


def _is_holder(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in {"environ", "env"}


def _is_reader(func: ast.expr) -> bool:
    if isinstance(func, ast.Name):
        return func.id in _READERS
    if not isinstance(func, ast.Attribute) or func.attr not in _METHODS:
        return False
    holder = func.value
    name = holder.attr if isinstance(holder, ast.Attribute) else holder.id if isinstance(holder, ast.Name) else ""
    return name in _HOLDERS


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
