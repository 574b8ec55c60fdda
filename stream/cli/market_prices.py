"""`meterstream market duration` and `volatility`: what one series of prices did."""

import json
from typing import Any

import click
import numpy as np
from rich.table import Table

from schemas.layout import instant_of
from stream.cli.console import output
from stream.cli.market_options import Question, questions
from stream.market.questions import Durations, Restlessness, Stretch, durations, restlessness

#: Shares of the time at which a duration curve is told [%].
_SHARES = (0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100)


@click.command(
    "duration",
    short_help="How much of the time a price was reached.",
    epilog="\b\nExamples:\n"
    "  meterstream market duration aemo_nem/NSW1 --since 30d --above 300 --above 1000\n"
    "  meterstream market duration omie/ES --file PrecioMD_OMIE_20201022.txt --format omie",
)
@click.argument("series", metavar="MARKET/SYMBOL")
@click.option("--above", "levels", multiple=True, type=float, metavar="PRICE", help="Tell the hours above this price.")
@questions
def duration_command(series: str, levels: tuple[float, ...], question: Question) -> None:
    """Show for how much of the time a price was reached: its duration curve, and the hours above levels."""
    prices = question.read(series)
    found = durations(prices, levels)
    if question.as_json:
        click.echo(json.dumps(_durations_json(series, found)))
        return
    unit = f"{prices.market.currency}/{prices.market.unit}"
    table = Table(f"{found.hours:,.1f} hours", box=None, header_style="bold")
    table.add_column(f"at least [{unit}]".replace("[", r"\["), justify="right", no_wrap=True)
    for share in _SHARES:
        table.add_row(f"{share:g} % of the time", f"{found.curve.price_at(share / 100):,.2f}")
    console = output()
    console.print(table)
    console.print(f"below zero: {found.negative:,.2f} h")
    for level, hours in found.above:
        console.print(f"above {level:g} {unit}: {hours:,.2f} h, {100 * hours / found.hours:.2f} %")


def _durations_json(series: str, found: Durations) -> dict[str, object]:
    curve = zip(found.curve.price.tolist(), found.curve.hours.tolist(), strict=True)
    return {
        "series": series,
        "hours": found.hours,
        "negative_hours": found.negative,
        "above": [{"price": level, "hours": hours} for level, hours in found.above],
        "curve": [{"price": price, "hours": hours} for price, hours in curve],
    }


@click.command(
    "volatility",
    short_help="Realised and EWMA volatility by day or hour.",
    epilog="\b\nExamples:\n"
    "  meterstream market volatility aemo_nem/NSW1 --since 14d\n"
    "  meterstream market volatility nordpool/SYS --per all --json",
)
@click.argument("series", metavar="MARKET/SYMBOL")
@click.option(
    "--per",
    "stretch",
    type=click.Choice(["hour", "day", "all"]),
    default="day",
    show_default=True,
    help="Stretch of time; a day is the market's own.",
)
@questions
def volatility_command(series: str, stretch: Stretch, question: Question) -> None:
    """Show realised volatility, and the exponentially weighted one that follows each price (weight of the past 0.94).

    Both are of changes from price to price in currency per unit: prices cross zero.
    """
    prices = question.read(series)
    found = restlessness(prices, stretch)
    if question.as_json:
        for row in _rows(found):
            click.echo(json.dumps(row))
        return
    table = Table(f"{stretch} from (UTC)", box=None, header_style="bold")
    for heading in ("prices", "lowest", "highest", "realised", "EWMA at its end"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in _rows(found):
        figures = ("low", "high", "realised", "ewma")
        cells = ("" if row[name] is None else f"{row[name]:,.2f}" for name in figures)
        table.add_row(f"{instant_of(row['start_us']):%Y-%m-%d %H:%M}", f"{row['prices']:,}", *cells)
    console = output()
    console.print(table)
    console.print(f"{prices.market.currency}/{prices.market.unit}")


def _rows(found: Restlessness) -> list[dict[str, Any]]:
    columns = {
        name: getattr(found, name).tolist() for name in ("start_us", "prices", "low", "high", "realised", "ewma")
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [row | {"ewma": None if np.isnan(row["ewma"]) else row["ewma"]} for row in rows]
