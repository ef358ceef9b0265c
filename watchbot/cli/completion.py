"""Defines `watchbot completion`."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_WATCHBOT_COMPLETE"  # by which the shell asks; click derives it from the name


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options.

    \b
    bash (4.4 or newer), in ~/.bashrc:
      eval "$(watchbot completion bash)"
    zsh, in ~/.zshrc, after compinit:
      eval "$(watchbot completion zsh)"
    fish, in ~/.config/fish/config.fish:
      watchbot completion fish | source
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"this version of click completes nothing in {shell}")
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "watchbot", VARIABLE).source())
