"""`meterstream market correlation` and `renewables`: what prices have to do with each other, and with sun and wind."""

import json
from datetime import timedelta

import click
import numpy as np
from rich.table import Table

from schemas.layout import instant_of
from stream.cli.console import output
from stream.cli.market_options import Question, questions
from stream.cli.quantities import Duration
from stream.market.questions import Likeness, Measure, RenewableImpact, impact, likenesses

_MEASURES = ("price", "change", "asinh")


@click.command(
    "correlation",
    short_help="How prices go together.",
    epilog="\b\nExamples:\n"
    "  meterstream market correlation aemo_nem/NSW1 aemo_nem/QLD1 aemo_nem/VIC1 --since 30d\n"
    "  meterstream market correlation omie/ES epex/FR --of asinh --every 1h",
)
@click.argument("series", metavar="MARKET/SYMBOL...", nargs=-1, required=True)
@click.option(
    "--of",
    "measure",
    type=click.Choice(_MEASURES),
    default="change",
    show_default=True,
    help="Prices, their changes, or changes of their asinh, in which a spike does not outweigh a year.",
)
@click.option("--every", type=Duration(), help="Compare means over so much time. Default: the longest interval.")
@questions
def correlation_command(series: tuple[str, ...], measure: Measure, every: timedelta | None, question: Question) -> None:
    """Correlate every two of some series at the times that both have; -1 to 1."""
    every_s = None if every is None else max(int(every.total_seconds()), 1)
    found = likenesses([question.read(name) for name in series], measure, every_s)
    if question.as_json:
        for pair in found:
            click.echo(json.dumps(_pair(pair)))
        return
    table = Table(measure, box=None, header_style="bold")
    for heading in ("and", "pairs", "correlation"):
        table.add_column(heading, justify="left" if heading == "and" else "right", no_wrap=True)
    for pair in found:
        row = _pair(pair)
        said = "-" if row["correlation"] is None else f"{row['correlation']:.4f}"
        table.add_row(pair.first, pair.second, f"{pair.moments.count:,}", said)
    output().print(table)


def _pair(pair: Likeness) -> dict[str, object]:
    found = pair.moments.correlation
    return {
        "first": pair.first,
        "second": pair.second,
        "pairs": pair.moments.count,
        "correlation": None if np.isnan(found) else found,
    }


@click.command(
    "renewables",
    short_help="How a price answers to sun and wind.",
    epilog="\b\nExamples:\n"
    "  meterstream market renewables aemo_nem/NSW1 --since 30d --window 288\n"
    "  meterstream market renewables nordpool/SYS --output nordpool/SYS.WIND/forecast "
    "--demand nordpool/SYS/forecast --window 720\n"
    "\nWhat other renewables would have done to an auction: meterstream market clear --shift.",
)
@click.argument("series", metavar="MARKET/SYMBOL")
@click.option("--output", "output_name", metavar="SERIES", help="Renewable output. Default: MARKET/SYMBOL/renewable.")
@click.option("--demand", "demand_name", metavar="SERIES", help="Default: MARKET/SYMBOL/demand.")
@click.option(
    "--window",
    type=click.IntRange(3),
    default=168,
    show_default=True,
    help="Intervals per fit; fits told do not overlap.",
)
@questions
def renewables_command(
    series: str, output_name: str | None, demand_name: str | None, window: int, question: Question
) -> None:
    """Show how a price answers to the renewable share of demand: a rolling regression with its standard error.

    The slope is the change of price with each further per cent of demand that renewables cover. Its error takes
    intervals for independent, which prices are not: the true one is larger.
    """
    prices = question.read(series)
    supply = question.read(output_name or series, "renewable")
    found = impact(prices, supply, question.read(demand_name or series, "demand"), window)
    rows = _fits(found, window)
    if question.as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    table = Table("until (UTC)", box=None, header_style="bold")
    for heading in ("mean share", "mean price", "price per further %", "its error", "price without any"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        fit = ("slope", "slope_error", "intercept")
        cells = ("-" if row[name] is None else f"{row[name]:,.3f}" for name in fit)
        table.add_row(str(row["until"])[:16].replace("T", " "), f"{row['share']:.1%}", f"{row['price']:,.2f}", *cells)
    console = output()
    console.print(table)
    console.print(f"{prices.market.currency}/{prices.market.unit}, {window} intervals each")


def _fits(found: RenewableImpact, window: int) -> list[dict[str, object]]:
    """Return every window-th fit, the last one among them, slopes per per cent of share."""
    ends = range(len(found.price) - 1, window - 2, -window)
    share, price = (
        np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1) for values in (found.share, found.price)
    )
    return [
        {
            "until": instant_of(int(found.until_us[at])).isoformat(),
            "share": float(share[at - window + 1]),
            "price": float(price[at - window + 1]),
            "slope": _or_none(found.response.slope[at] / 100),
            "slope_error": _or_none(found.response.slope_error[at] / 100),
            "intercept": _or_none(found.response.intercept[at]),
        }
        for at in reversed(ends)
    ]


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
