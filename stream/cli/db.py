"""`meterstream db`: the database schema."""

import json
import sys

import click
from rich.filesize import decimal
from rich.table import Table

from sinks.migrations import Migration
from sinks.migrations import migrate as apply
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.endpoints import resolve
from stream.schema_status import SchemaStatus, schema_status


@click.group()
def db() -> None:
    """Bring the database to the newest schema, or look at it.

    Example: meterstream db status
    """


def _url() -> str:
    return resolve(settings.load(), needs=("database_url",)).database_url


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def migrate(as_json: bool) -> None:
    """Apply the migrations under infra/sql that this database does not have yet, each in one transaction.

    Safe to run at any time and by several at once; workers do it too when they start.

    Example: METERSTREAM_DATABASE_URL=postgresql://user:password@host:5432/name meterstream db migrate
    """
    url = _url()
    applied = apply(url)
    product = schema_status(url).product
    if as_json:
        click.echo(json.dumps({"applied": applied, "database": product}))
        return
    click.echo(product)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to do: the schema is the newest")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def status(as_json: bool) -> None:
    """Show what the database is, which migrations it has, and how much is in its tables (an estimate).

    The exit code is 1 if a migration is still to be applied.

    Example: meterstream db status --json
    """
    found = schema_status(_url())
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        _print(found)
    sys.exit(1 if found.due else 0)


def _print(found: SchemaStatus) -> None:
    console = output()
    console.print(found.product)
    for migration in found.migrations:
        console.print(f"  {_state(migration):26} {migration.name}")
    if found.due:
        console.print("apply them: meterstream db migrate")
    table = Table("table", box=None, header_style="bold")
    table.add_column("rows, about", justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    for item in found.tables:
        table.add_row(item.name, f"{item.rows:,}", decimal(item.size_bytes))
    console.print(table)


def _state(migration: Migration) -> str:
    if migration.applied:
        return "[green]applied[/]"
    return "[yellow]to be applied[/]" if migration.applies else "[dim]not for this database[/]"
