"""`meterstream db`: the database schema."""

import asyncio
import json
import sys
from datetime import UTC, datetime

import click
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from sinks.migrations import Migration
from sinks.migrations import migrate as apply
from sinks.totals import catch_up
from sinks.upkeep import keep_up
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.endpoints import resolve
from stream.schema_status import SchemaStatus, schema_status
from stream.storage_status import StorageStatus


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
def maintain(as_json: bool) -> None:
    """Make room for readings to come, drop what is older than METERSTREAM_RETENTION__ says, sum up what is new.

    With TimescaleDB this sets its policies, which do the rest. Workers do it by themselves; safe to run at any time.

    Example: METERSTREAM_RETENTION__READINGS_DAYS=366 meterstream db maintain
    """
    url, retention = _url(), settings.load().retention
    done = asyncio.run(keep_up(url, retention.kept)) + asyncio.run(catch_up(url, retention.readings_days))
    if as_json:
        click.echo(json.dumps({"done": done}))
        return
    for line in done or ["nothing to do"]:
        click.echo(line)


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def status(as_json: bool) -> None:
    """Show what the database is, its migrations, how much its tables hold (an estimate), and how they are kept.

    That is: pieces by time, what compression brings, and policies and jobs of the engine with their last runs.

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
    if found.storage is not None:
        _print_storage(found.storage)


def _print_storage(found: StorageStatus) -> None:
    console = output()
    pieces = Table("kept in pieces", "since", "until", box=None, header_style="bold")
    for title in ("pieces", "compressed", "ratio"):
        pieces.add_column(title, justify="right", no_wrap=True)
    for item in found.pieces:
        ratio = "-" if item.ratio is None else f"{item.ratio:.1f}"
        pieces.add_row(item.table, _day(item.since), _day(item.until), str(item.pieces), str(item.compressed), ratio)
    console.print()
    console.print(pieces)
    jobs = Table("job", "set to", "last run", "outcome", box=None, header_style="bold")
    jobs.add_column("runs", justify="right")
    jobs.add_column("failures", justify="right")
    for job in found.jobs:
        failures = f"[red]{job.failures}[/]" if job.failures else "0"
        jobs.add_row(job.job, job.what, _minute(job.ran_at), escape(job.outcome) or "-", str(job.runs), failures)
    console.print()
    console.print(jobs)
    if found.days_waiting or found.records_waiting:
        console.print(f"totals wait for {found.records_waiting:,} records and {found.days_waiting:,} days")


def _day(at: datetime | None) -> str:
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d}"


def _minute(at: datetime | None) -> str:
    return "never" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _state(migration: Migration) -> str:
    if migration.applied:
        return "[green]applied[/]"
    return "[yellow]to be applied[/]" if migration.applies else "[dim]not for this database[/]"
