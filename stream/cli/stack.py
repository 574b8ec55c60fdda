"""`meterstream stack`: start, stop and inspect the local servers."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from stream.stack.endpoints import Endpoints
from stream.stack.errors import StackError
from stream.stack.stack import LocalStack
from stream.stack.status import ServerState, StackStatus

_COLOURS = {ServerState.UP: "green", ServerState.STARTING: "yellow", ServerState.RESTARTING: "yellow"}


def _directory_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--dir",
        "directory",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".local"),
        envvar="METERSTREAM_LOCAL_DIR",
        show_default=True,
        show_envvar=True,
        help="Where the stack keeps its data, logs and ports.",
    )(command)


@click.group()
def stack() -> None:
    """Start, stop and inspect the local servers: Kafka, MQTT, PostgreSQL and Redis.

    They run as ordinary processes on free loopback ports, without root and without Docker.

    Example: meterstream stack up
    """


@stack.command()
@_directory_option
def up(directory: Path) -> None:
    """Start the servers and print where to connect. Does nothing where they run already.

    Example: meterstream stack up --dir /tmp/second-stack
    """
    console = Console(stderr=True)
    started = time.monotonic()
    try:
        with console.status("Starting the local stack"):
            endpoints = LocalStack(directory).up(
                progress=lambda line: console.out(f"{time.monotonic() - started:6.1f} s  {line}", highlight=False)
            )
    except (StackError, OSError) as error:
        raise click.ClickException(str(error)) from error
    _print_endpoints(endpoints)


@stack.command()
@_directory_option
@click.option("--purge", is_flag=True, help="Remove the data too.")
def down(directory: Path, purge: bool) -> None:
    """Stop the servers. Their data stay, unless --purge is given.

    Example: meterstream stack down --purge
    """
    try:
        with Console(stderr=True).status("Stopping the local stack"):
            LocalStack(directory).down(purge=purge)
    except (StackError, OSError) as error:
        raise click.ClickException(str(error)) from error


@stack.command()
@_directory_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(directory: Path, as_json: bool) -> None:
    """Show the servers; the exit code is 0 only if all of them are up.

    Example: meterstream stack status --json
    """
    try:
        found = LocalStack(directory).status(probe=True)
    except (StackError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found.as_json()))
    elif found.supervisor_pid is None:
        click.echo(f"No stack runs in {directory}. Start it: meterstream stack up --dir {directory}")
    else:
        _print_status(found)
    sys.exit(0 if found.healthy else 1)


def _print_status(found: StackStatus) -> None:
    table = Table("server", "state", "port", "pid", "restarts", "program", "detail", box=None)
    for server in found.servers:
        state = f"[{_COLOURS.get(server.state, 'red')}]{server.state}[/]"
        pid = "-" if server.pid is None else str(server.pid)
        table.add_row(server.name, state, str(server.port), pid, str(server.restarts), server.product, server.detail)
    Console().print(table)
    if found.endpoints is not None:
        _print_endpoints(found.endpoints)


def _print_endpoints(endpoints: Endpoints) -> None:
    for name, url in asdict(endpoints).items():
        click.echo(f"METERSTREAM_{name.upper()}={url}")
