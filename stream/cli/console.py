"""Where commands print: as wide as the terminal, and never folded where a program reads it."""

from rich.console import Console

#: No table of ours is wider.
_PIPE_WIDTH = 160


def output() -> Console:
    """Return the console on standard output."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
