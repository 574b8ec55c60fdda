"""`meterstream market labels`: sources that put figures under the time of the interval beside theirs."""

import json
from datetime import datetime

import click
from rich.table import Table

from processors.market.labels import Side
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.endpoints import resolve
from stream.market.labels import Suspect, suspects
from stream.market.price_source import Span
from stream.markets import load_markets


@click.command(
    "labels",
    short_help="Sources that label by the other side.",
    epilog="\b\nExamples:\n  meterstream market labels --since 7d\n  meterstream market labels --json",
)
@click.option("--since", type=Moment(), help="Of what was rejected from this time on. Default: all.")
@click.option("--until", type=Moment(), help="Up to this time. Default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per series.")
@plain_errors
def labels_command(since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Tell sources that label intervals by the other side than their market.

    Such a source repeats what another one has said under the time of the interval beside it: its ticks were rejected as
    conflicting_duplicate, and say what is stored one interval earlier or later. Six of them at least, and nine of ten.
    A feed that changes its side once, and has nobody to contradict it, shows one repeated time or one gap and no more.
    """
    chosen = settings.load()
    url = resolve(chosen, needs=("database_url",)).database_url
    found = suspects(url, load_markets(chosen.markets_file), Span(since, until))
    if as_json:
        for suspect in found:
            click.echo(json.dumps(_row(suspect)))
        return
    if not found:
        click.echo("no tick has contradicted a stored one")
        return
    table = Table("series", box=None, header_style="bold")
    for heading in ("contradictions", "stored one later", "stored one earlier"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for suspect in found:
        counts = (suspect.found.count, suspect.found.earlier, suspect.found.later)
        table.add_row(str(suspect.name), *(f"{count:,}" for count in counts), _verdict(suspect))
    output().print(table)


def _verdict(suspect: Suspect) -> str:
    side, label = suspect.found.side, suspect.market.label
    if side is None:
        return "other values"
    if (side is Side.EARLIER) == (label == "end"):
        return f"[yellow]labelled by the {'start' if label == 'end' else 'end'}, not the {label}[/]"
    return f"[yellow]an interval {side}[/]"


def _row(suspect: Suspect) -> dict[str, object]:
    found = suspect.found
    return {
        "series": str(suspect.name),
        "contradictions": found.count,
        "stored_one_later": found.earlier,
        "stored_one_earlier": found.later,
        "label": suspect.market.label,
        "side": found.side,
    }
