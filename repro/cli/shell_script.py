"""``repro completion``: the script by which a shell completes what is typed."""

from __future__ import annotations

import click

from repro.cli.completion.shells import SHELLS, script
from repro.cli.options.shared import Command

EPILOG = """\b
Examples:
  eval "$(repro completion bash)"            in ~/.bashrc
  eval "$(repro completion zsh)"             in ~/.zshrc
  repro completion fish | source             in ~/.config/fish/config.fish"""


@click.command("completion", cls=Command, epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that lets TAB complete commands, options, factors, levels, experiments, runs and cells."""
    from repro.cli import COMPLETE, cli

    click.echo(script(shell, cli, name="repro", variable=COMPLETE))
