"""`meterstream reconcile`: the proof that nothing was lost."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from schemas.topics import MARKET_RAW, METERS_RAW
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.endpoints import resolve
from stream.markets import load_markets
from stream.reconcile.account import Account, Reconciliation
from stream.reconcile.run import Request, Watch
from stream.reconcile.run import reconcile as prove
from stream.reconcile.subject import readings, ticks

_TOPICS = (METERS_RAW.name, MARKET_RAW.name)
#: Attribute of an account -> heading.
_COLUMNS = {
    "readings": "readings",
    "rows": "rows",
    "rejected": "rejected",
    "duplicates": "duplicates",
    "pending": "pending",
    "lost_records": "lost",
    "unaccounted": "unaccounted",
}


@click.command()
@click.option("--since", type=Moment(), help="Leave out records that reached Kafka before.")
@click.option("--until", type=Moment(), help="Leave out records that reached Kafka at or after.")
@click.option("--topic", "topics", multiple=True, type=click.Choice(_TOPICS), help="Only this one; both by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, that of the ticks within it as `market`.")
@plain_errors
def reconcile(since: datetime | None, until: datetime | None, topics: tuple[str, ...], as_json: bool) -> None:
    """Prove that nothing was lost: every reading and every tick that Kafka holds is a row, a reject or a duplicate.

    Reads meters.raw and market.raw up to where the database stands, looks everything up, value for value, and every
    reject too.
    Changes nothing and disturbs nobody; the engine may run on. The exit code is 0 only if `unaccounted` is 0, no row
    was altered and no record was lost. `pending` is lag: records that the database has not reached yet.

    TIME is an instant (2026-01-31T12:00:00Z) or an age (90s, 15m, 2h, 1d).

    Example: meterstream reconcile

    Example: meterstream reconcile --since 15m --topic market.raw --json
    """
    chosen = settings.load()
    endpoints = resolve(chosen, needs=("kafka_url", "database_url"))
    request = Request(endpoints, chosen.worker.app_id, since, until)
    subjects = {
        METERS_RAW.name: readings(chosen.retention.limits),
        MARKET_RAW.name: ticks(load_markets(chosen.markets_file)),
    }
    found = list[Reconciliation]()
    for topic in topics or _TOPICS:
        with _progress() as watch:
            found.append(prove(request, subjects[topic], watch))
    if as_json:
        click.echo(json.dumps(_joined(found)))
    else:
        for one in found:
            _print(one)
    sys.exit(0 if all(one.sound for one in found) else 1)


def _joined(found: list[Reconciliation]) -> dict[str, Any]:
    """Return the first as it is, the second within it."""
    joined = found[0].as_json() | {"sound": all(one.sound for one in found)}
    return joined if len(found) == 1 else joined | {"market": found[1].as_json()}


@contextmanager
def _progress() -> Iterator[Watch]:
    console = Console(stderr=True)
    columns = (
        TextColumn("looking records up"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _print(found: Reconciliation) -> None:
    table = Table(found.topic, box=None, header_style="bold")
    for heading in _COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for account in found.partitions:
        table.add_row(str(account.partition), *_cells(account))
    table.add_section()
    table.add_row("total", *_cells(found.total), style="bold")
    console = output()
    console.print(table)
    console.print()
    for line in _sentences(found):
        console.print(line, soft_wrap=True)


def _cells(account: Account) -> list[str]:
    return [_cell(name, getattr(account, name)) for name in _COLUMNS]


def _cell(name: str, value: int) -> str:
    wrong = value and name in {"unaccounted", "lost_records"}
    return f"[red]{value:,}[/]" if wrong else f"{value:,}"


def _sentences(found: Reconciliation) -> Iterator[str]:
    """Say in words what the table means, the worst last."""
    total, rejects = found.total, found.rejects
    yield (
        f"{rejects.records:,} rejects in Kafka, the bridge's included: {rejects.stored:,} in the database, "
        f"{rejects.waiting:,} on their way, {rejects.missing:,} missing"
    )
    if total.pending:
        yield f"[yellow]{total.pending:,} records wait for a worker[/] (lag, not loss)"
    wrong = (
        ("readings that are not in the database", total.missing),
        ("rejected readings that are not in the database", total.rejects_missing),
        ("rows with other values than Kafka has", total.altered),
        ("records that were gone from Kafka before they were stored", total.lost_records),
    )
    for words, count in wrong:
        if count:
            yield f"[red]{words}: {count:,}[/]"
    for account in found.partitions:
        if account.counters and account.miscounted:
            counted, here = account.counters, account.counted
            yield (
                f"[red]partition {account.partition}: the workers counted other than what is there[/]: "
                f"readings {counted.readings} ({here.readings}), rows {counted.stored} ({here.stored}), "
                f"duplicates {counted.duplicates} ({here.duplicates}), rejected {counted.rejected} ({here.rejected})"
            )
    for example in found.examples:
        yield f"  {example}"
    if found.sound:
        yield f"[green]unaccounted 0[/]: each of {total.readings:,} of {found.topic} is a row, a reject or a duplicate"
    else:
        yield f"[red]unaccounted {total.unaccounted:,}[/]: this is not sound"
