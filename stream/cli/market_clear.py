"""`meterstream market clear`: the equilibrium of bids and asks."""

import json
import sys
from pathlib import Path

import click
import numpy as np
from rich.table import Table

from processors.market.clearing import Rule
from schemas.layout import instant_of
from simulators.replay.recording import Findings
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.market.auctions import FORMATS, Outcome, Published, Shift, interpolated, ladders, outcomes
from stream.markets import load_markets

#: Problems shown in the terminal; all are counted.
_SHOWN = 20


@click.command(
    "clear",
    short_help="Price and volume where bids meet asks.",
    epilog="\b\nExamples:\n"
    "  meterstream market clear OfferAndDemandCurve_1_20090102.TXT --format omie\n"
    "  meterstream market clear auction.csv --rule lowest --json\n"
    "  meterstream market clear auction.csv --shift -20\n"
    "  meterstream market clear curves.TXT --format omie --shift 10 --renewable 5000",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--format", "format_name", type=click.Choice(FORMATS), default="csv", show_default=True, help="Of the files."
)
@click.option(
    "--rule",
    type=click.Choice([rule.value for rule in Rule]),
    help="Which of several clearing prices. Default: that of the market then, else midpoint.",
)
@click.option("--interpolated", "gradual", is_flag=True, help="csv: rows are points of two curves, linear in between.")
@click.option("--shift", "per_cent", type=float, metavar="PERCENT", help="Clear again with renewables changed by this.")
@click.option(
    "--renewable",
    "quantity",
    type=click.FloatRange(0, min_open=True),
    metavar="MWH",
    help="Renewable output, where the file does not say: the cheapest asks of so much.",
)
@click.option("--tick", type=click.FloatRange(0), default=0.01, show_default=True, help="Of published prices.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per clearing.")
@plain_errors
def clear_command(
    files: tuple[str, ...],
    format_name: str,
    rule: str | None,
    gradual: bool,
    per_cent: float | None,
    quantity: float | None,
    tick: float,
    as_json: bool,
) -> None:
    """Find price, volume and surplus of each auction in FILES, and hold them against what the exchange published.

    A csv file has the columns side (bid or ask), price and quantity, and may have time (RFC 3339; one auction each),
    whole (1: not to be served in part) and renewable (1: an ask of sun, wind or water). omie is the Iberian exchange's
    own text of curves. The exit code is 1 if a line could not be read; the others are cleared.
    """
    if per_cent is None and quantity is not None:
        raise click.UsageError("--renewable says what --shift changes: give both")
    if gradual and (per_cent is not None or rule is not None or format_name != "csv"):
        raise click.UsageError("--interpolated takes csv, without --rule and --shift")
    markets = load_markets(settings.load().markets_file)
    shift = None if per_cent is None else Shift(per_cent, quantity)
    found, problems = list[Outcome](), 0
    for path in map(Path, files):
        findings = Findings()
        for ladder in ladders(path, format_name, markets, findings):
            found += [interpolated(ladder)] if gradual else outcomes(ladder, Rule(rule) if rule else None, shift)
        for problem in findings.problems[:_SHOWN]:
            click.echo(f"{path.name}, line {problem.line}: {problem.detail}", err=True)
        problems += findings.count
    if as_json:
        for outcome in found:
            click.echo(json.dumps(outcome.as_json(tick)))
    else:
        _print(found, tick)
    if problems:
        click.echo(f"{problems} lines could not be read", err=True)
    sys.exit(1 if problems else 0)


def _print(found: list[Outcome], tick: float) -> None:
    known = any(outcome.published for outcome in found)
    table = Table("interval (UTC)", "asks", box=None, header_style="bold")
    for heading in ("price", "volume", "consumer surplus", "producer surplus"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("published", "volume", "within a tick") if known else ():
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome in found:
        cells = [_time(outcome.time_us), outcome.asks, *_figures(outcome)]
        table.add_row(*cells, *_beside(outcome, tick))
    console = output()
    console.print(table)
    for line in _summary(found, tick):
        console.print(line)


def _time(time_us: int | None) -> str:
    return "-" if time_us is None else f"{instant_of(time_us):%Y-%m-%d %H:%M}"


def _figures(outcome: Outcome) -> list[str]:
    found = outcome.found
    if np.isnan(found.price):
        return ["no trade", "0", "0", "0"]
    surplus = (found.consumer_surplus, found.producer_surplus)
    return [f"{found.price:,.2f}", f"{found.volume:,.1f}", *(f"{value:,.0f}" for value in surplus)]


def _beside(outcome: Outcome, tick: float) -> list[str]:
    published = outcome.published
    if published is None:
        return []
    said = "[green]yes[/]" if outcome.within(tick) else "[yellow]no[/]"
    return [f"{published.price:,.2f}", f"{published.volume:,.1f}", said]


def _summary(found: list[Outcome], tick: float) -> list[str]:
    """Say how many agree with what was published, and why others do not."""
    said = list[str]()
    for asks in ("matched", "all"):
        beside = [outcome for outcome in found if outcome.asks == asks and outcome.published]
        if beside:
            agree = sum(bool(outcome.within(tick)) for outcome in beside)
            said.append(f"with {asks} asks: {agree} of {len(beside)} auctions within a tick of {tick:g}")
    missed = (outcome for outcome in found if outcome.asks == "all" and outcome.within(tick) is False)
    return said + [f"{_time(outcome.time_us)}: {_why(outcome.published)}" for outcome in missed if outcome.published]


def _why(published: Published) -> str:
    if published.set_aside <= 0:
        return "what was matched is all that asked for no more than its price: another rule than this one"
    return (
        f"the exchange set {published.set_aside:,.1f} aside that asked for no more than its price: "
        "conditions of complex orders, which curves do not hold"
    )
