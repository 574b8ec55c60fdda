"""`meterstream up`: the local stack and the engine, in the foreground."""

import time

import click
from rich.console import Console

from stream import settings
from stream.cli.errors import plain_errors
from stream.connections import lines
from stream.session import NotReady, session, terminable

_POLL_S = 0.5


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--bridges", type=click.IntRange(1, 64), default=1, show_default=True, help="Bridge processes.")
@plain_errors
def up(workers: int, bridges: int) -> None:
    """Run the local stack and the engine until Ctrl-C.

    Starts the servers that have no METERSTREAM_..._URL, then bridges, workers and an alert desk, which are started
    again when they fail. Everything that was started here ends with this command, however it ends; the data stay.

    Example: meterstream up --workers 2
    """
    console, started = Console(stderr=True, highlight=False), time.monotonic()

    def tell(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {line}", soft_wrap=True)

    chosen = settings.load()
    try:
        with terminable(), session(chosen, bridges=bridges, workers=workers, tell=tell) as running:
            running.wait_ready()
            tell("[green]ready[/]")
            for name, line in lines(running.endpoints):
                click.echo(f"{name:10} {line}")
            while not running.engine.failures:
                time.sleep(_POLL_S)
            raise NotReady("; ".join(running.engine.failures))
    except KeyboardInterrupt:
        tell("stopped")
