"""`meterstream alerts`: what the engine found unusual."""

import json
from collections.abc import Generator, Iterable
from contextlib import closing
from datetime import datetime

import click
from rich.text import Text

from schemas.alerts import Alert, Severity
from stream import settings
from stream.alert_feed import kept, live, passed
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.endpoints import resolve

_STYLES = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}


@click.group()
def alerts() -> None:
    """Look at alerts: live from Kafka, or those that the database keeps.

    Example: meterstream alerts tail
    """


@alerts.command()
@click.option("--since", type=Moment(), help="Begin with alerts from then on, not with the next one.")
@click.option("--follow/--no-follow", default=True, help="Wait for more, or end with what is there now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line, as in Kafka.")
@plain_errors
def tail(since: datetime | None, follow: bool, as_json: bool) -> None:
    """Print alerts as they come, from the Kafka topic `alerts`, until Ctrl-C.

    TIME is an instant (2026-01-31T12:00:00Z) or an age (90s, 15m, 2h, 1d).

    Example: meterstream alerts tail --since 1h

    Example: meterstream alerts tail --no-follow --json | jq .element
    """
    url = resolve(settings.load(), needs=("kafka_url",)).kafka_url
    feed: Generator[Alert | None, None, None] = live(url, since) if follow else passed(url, since)
    with closing(feed):
        try:
            _print_each(feed, as_json)
        except KeyboardInterrupt:
            return


@alerts.command("list")
@click.option("--since", type=Moment(), help="Leave out alerts whose reading arrived before.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@plain_errors
def list_alerts(since: datetime | None, limit: int, as_json: bool) -> None:
    """Print the newest alerts of the database, newest first.

    Example: meterstream alerts list --since 1d --limit 100
    """
    found = kept(resolve(settings.load(), needs=("database_url",)).database_url, since, limit)
    console = output()
    for item in found:
        if as_json:
            state = {"acknowledged": item.acknowledged, "resolved": item.resolved}
            click.echo(json.dumps({**item.alert.model_dump(mode="json"), **state}))
        else:
            state_word = "resolved" if item.resolved else "acknowledged" if item.acknowledged else "open"
            console.print(_line(item.alert).append(f"  {state_word}", "dim"), soft_wrap=True)
    if not found and not as_json:
        click.echo("no alerts", err=True)


def _print_each(feed: Iterable[Alert | None], as_json: bool) -> None:
    console = output()
    for alert in feed:
        if alert is None:
            continue
        if as_json:
            click.echo(alert.model_dump_json())
        else:
            console.print(_line(alert), soft_wrap=True)


def _line(alert: Alert) -> Text:
    return Text.assemble(
        (f"{alert.occurred_at:%Y-%m-%d %H:%M} ", "dim"),
        (f"{alert.severity:8} ", _STYLES[alert.severity]),
        f"{alert.message} ",
        (f"(score {alert.score:.2f})", "dim"),
    )
