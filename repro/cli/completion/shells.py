"""Completion in bash and zsh: click's own, extended for ``NAME=LEVEL``.

bash takes ``=`` for the end of a word and replaces only what stands behind it; click's own script would see
``stack``, ``=`` and ``2024`` as three words. Both shells put a space behind a word, where a level is to follow.
"""

from __future__ import annotations

import os
from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

SHELLS = ("bash", "zsh", "fish")
BREAKS = "=:"
"""Signs inside our words at which bash may break them."""

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local response completion type value

    response=$(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \
%(complete_var)s=bash_complete $1 2>/dev/null)

    for completion in $response; do
        IFS=',' read type value <<< "$completion"

        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
            [[ $value == *= ]] && compopt -o nospace
        fi
    done

    return 0
}

%(complete_func)s_setup() {
    complete -o nosort -F %(complete_func)s %(prog_name)s
}

%(complete_func)s_setup;
"""


class Bash(BashComplete):
    """Reads the line up to the cursor, and cuts completions where bash breaks words."""

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is completed, and that one."""
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """The completions, reduced to the part that bash replaces."""
        breaks = [sign for sign in BREAKS if sign in os.environ.get("COMP_BREAKS", BREAKS)]
        kept = incomplete[: 1 + max((incomplete.rfind(sign) for sign in breaks), default=-1)]
        found = super().get_completions(args, incomplete)
        return [CompletionItem(_cut(item.value, kept), type=item.type, help=item.help) for item in found]


def _cut(value: str, kept: str) -> str:
    """The value without what stays on the line; of ``--set=stack=2`` the option is not part of the value."""
    for start in (kept, kept.partition("=")[2]):
        if start and value.startswith(start):
            return value[len(start) :]
    return value


class Zsh(ZshComplete):
    """Adds no space after ``NAME=``."""

    source_template = (
        ZshComplete.source_template.replace(
            "    local -a response\n", "    local -a response\n    local -a assignments\n"
        )
        .replace(
            '            if [[ "$descr" == "_" ]]; then\n',
            '            if [[ "$key" == *= ]]; then\n                assignments+=("$key")\n'
            '            elif [[ "$descr" == "_" ]]; then\n',
        )
        .replace(
            '    if [ -n "$completions" ]; then\n',
            "    if [ -n \"$assignments\" ]; then\n        compadd -U -S '' -V unsorted -a assignments\n    fi\n\n"
            '    if [ -n "$completions" ]; then\n',
        )
    )


def register() -> None:
    """Register these with click."""
    add_completion_class(Bash)
    add_completion_class(Zsh)


def script(shell: str, command: Any, *, name: str, variable: str) -> str:
    """The script that the shell evaluates once."""
    register()
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(shell)
    made: ShellComplete = kind(command, {}, name, variable)
    return made.source()
