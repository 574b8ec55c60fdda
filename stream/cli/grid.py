"""`meterstream grid`: what is without power, how reliable the grid was, and what is wrong with transformers."""

import json
from datetime import UTC, datetime, timedelta

import click
from rich.table import Table

from schemas.grid_outages import GridOutage
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.cli.grid_physics import list_conditions, show_balance, show_loading
from stream.cli.moments import Moment
from stream.endpoints import resolve
from stream.grid_outages import outage, outages, reliability

#: What reliability is told of unless somebody says otherwise.
_MONTH = timedelta(days=30)
_TIME = "%Y-%m-%d %H:%M:%S"


@click.group()
def grid() -> None:
    """Outages and reliability of the grid, load and energy balance of its transformers, as inferred from meters.

    Example: meterstream grid outages --open
    """


for _command in (show_loading, show_balance, list_conditions):
    grid.add_command(_command)


@grid.command("outages")
@click.option("--since", type=Moment(), help="Leave out what was over before.")
@click.option("--region", help="One region only.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many at most.")
@click.option("--open", "standing", is_flag=True, help="Leave out what is over.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@plain_errors
def list_outages(since: datetime | None, region: str | None, limit: int, standing: bool, as_json: bool) -> None:
    """Print outages, the newest first: the highest element that explains each, and the customers affected.

    Example: meterstream grid outages --open --region north

    Example: meterstream grid outages --since 7d --json | jq .customers
    """
    found = outages(_database(), since, region, limit, standing=standing)
    if as_json:
        for one in found:
            click.echo(one.model_dump_json())
        return
    if not found:
        click.echo("no outages")
        return
    table = Table(
        "id", "element", "region", "began (UTC)", "lasted", "customers", "without power", "known by", box=None
    )
    for one in found:
        began = one.started_at.astimezone(UTC)
        customers = f"{one.customers:,}", f"{one.without_power:,}"
        table.add_row(
            str(one.outage_id),
            one.element,
            one.region or "-",
            began.strftime(_TIME),
            _lasted(one),
            *customers,
            one.cause,
        )
    output().print(table)


@grid.command("outage")
@click.argument("outage_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def show_outage(outage_id: int, as_json: bool) -> None:
    """Show one outage with its meters, and when the power of each went and came back.

    Example: meterstream grid outage 17
    """
    one, meters = outage(_database(), outage_id)
    if as_json:
        click.echo(json.dumps(one.model_dump(mode="json") | {"meters": meters}, default=_iso))
        return
    click.echo(f"{one.element} was without power from {one.started_at.astimezone(UTC):{_TIME}} UTC, {_lasted(one)}")
    minutes = _between(one.customer_minutes, one.customer_minutes_least, one.customer_minutes_most, ",.0f")
    click.echo(
        f"{one.customers:,} customers, {one.without_power:,} not back yet, {minutes} customer "
        f"minutes; {one.told:,} meters said so themselves ({one.cause}); restated {one.revision} times"
    )
    table = Table("meter", "transformer", "off (UTC)", "back (UTC)", "minutes", box=None)
    for meter in meters:
        back = meter["back_at"].astimezone(UTC).strftime(_TIME) if meter["back_at"] else "-"
        off = meter["off_at"].astimezone(UTC).strftime(_TIME)
        lasted = _between(meter["minutes"], meter["minutes_least"], meter["minutes_most"], ",.1f")
        table.add_row(meter["meter_number"], meter["transformer"] or "-", off, back, lasted)
    output().print(table)


@grid.command("reliability")
@click.option("--since", type=Moment(), help="By when an outage began; 30 days before the end.")
@click.option("--until", type=Moment(), help="End of the span; now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@plain_errors
def show_reliability(since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Print SAIDI, SAIFI and CAIDI of each region (IEEE 1366, interruptions of more than five minutes).

    Example: meterstream grid reliability --since 2026-10-01T00:00:00Z --until 2026-11-01T00:00:00Z
    """
    end = until or datetime.now(UTC)
    found = reliability(_database(), since or end - _MONTH, end)
    if as_json:
        for one in found:
            click.echo(one.model_dump_json())
        return
    if not found:
        click.echo("no region has customers in service: the registry says which meters there are")
        return
    table = Table("region", "customers", "outages", "interruptions", "SAIDI min", "SAIFI", "CAIDI min", box=None)
    for one in found:
        caidi = "-" if one.caidi_minutes is None else f"{one.caidi_minutes:,.2f}"
        counts = f"{one.customers:,}", f"{one.outages:,}", f"{one.customer_interruptions:,}"
        saidi = _between(one.saidi_minutes, one.saidi_least, one.saidi_most, ",.2f")
        table.add_row(one.region, *counts, saidi, f"{one.saifi:.4f}", caidi)
    output().print(table)


def _database() -> str:
    return resolve(settings.load(), needs=("database_url",)).database_url


def _lasted(one: GridOutage) -> str:
    if one.ended_at is None:
        return "goes on"
    return f"{(one.ended_at - one.started_at).total_seconds() / 60:,.0f} min"


def _between(likeliest: float, least: float, most: float, how: str) -> str:
    """Return a figure with what it can be at least and at most, where that is not the same."""
    told = format(likeliest, how)
    bounds = format(least, how), format(most, how)
    return told if bounds == (told, told) else f"{told} ({' to '.join(bounds)})"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
