"""`meterstream latest`: the newest reading of meters."""

import json
import sys

import click
from rich.table import Table

from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.endpoints import resolve
from stream.latest import Answer
from stream.latest import newest as look_up

_COLOURS = {"warning": "yellow", "anomaly": "red", "missing": "magenta"}
_SHOWN = {
    "consumption_kwh": "kWh",
    "demand_kw": "kW",
    "voltage": "V",
    "current_amps": "A",
}


@click.command()
@click.argument("meters", metavar="METER...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per meter, with all that it measured.")
@plain_errors
def latest(meters: tuple[str, ...], as_json: bool) -> None:
    """Show the newest reading of meters: from Redis, or from the database where Redis has forgotten them.

    The exit code is 1 if one of the meters has never been heard of.

    Example: meterstream latest M00000001 M00000002

    Example: meterstream latest M00000001 --json | jq .voltage
    """
    answer = look_up(resolve(settings.load(), needs=("redis_url", "database_url")), meters)
    if answer.redis_trouble:
        click.echo(f"Redis does not answer ({answer.redis_trouble}): this comes from the database", err=True)
    if as_json:
        for found in answer.found:
            click.echo(json.dumps(found.as_json()))
    elif answer.found:
        _print(answer)
    for meter in answer.unknown:
        click.echo(f"{meter}: no reading is known of this meter", err=True)
    sys.exit(1 if answer.unknown else 0)


def _print(answer: Answer) -> None:
    table = Table(box=None, header_style="bold")
    table.add_column("meter", no_wrap=True)
    table.add_column("time (UTC)", no_wrap=True)
    for heading in _SHOWN.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("quality", "score", "from"):
        table.add_column(heading, no_wrap=True)
    for found in answer.found:
        colour = _COLOURS.get(found.quality_flag, "green")
        table.add_row(
            found.meter_number,
            f"{found.reading_time:%Y-%m-%d %H:%M:%S}",
            *("" if (value := found.values.get(name)) is None else f"{value:g}" for name in _SHOWN),
            f"[{colour}]{found.quality_flag}[/]",
            "" if found.anomaly_score is None else f"{found.anomaly_score:.2f}",
            found.source,
        )
    output().print(table)
