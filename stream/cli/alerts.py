"""`meterstream alerts`: watch what the engine found unusual, and act on it."""

import getpass
import json
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import click

from processors.lifecycle.silences import Silence
from schemas.alert_events import AlertEvent, AlertState
from schemas.alerts import AlertKind, Severity
from stream import settings
from stream.alert_feed import Wanted, attached, history, kept, live, passed, standing_now
from stream.alerting import acts
from stream.cli.alerts_text import child_line, details, event_line, silence_line, state_line
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.cli.quantities import Duration
from stream.endpoints import resolve as find_endpoints


def _names(of: type[StrEnum]) -> list[str]:
    return [item.value for item in of]


_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
_BY = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who you are.")
_NOTE = click.option("--note", default="", help="What others should know; it goes into the history.")


@click.group()
def alerts() -> None:
    """Watch alerts and act on them.

    One alert is one problem: it opens, is updated, acknowledged, ends when its condition has, and may return. An ID is
    the alert's id or as much of its beginning as is unique.

    Example: meterstream alerts tail
    """


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which alerts somebody looks at."""
    options = (
        click.option(
            "--severity", type=click.Choice(_names(Severity)), default="info", help="This and what is more severe."
        ),
        click.option("--kind", type=click.Choice(_names(AlertKind)), metavar="KIND", help="One kind only."),
        click.option("--element", metavar="PATTERN", help="Elements such as 'meter/M00*' or 'feeder/*'."),
        click.option("--region", help="One region only."),
        click.option("--children", is_flag=True, help="Also alerts that are part of another one."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _wanted(severity: str, kind: str | None, element: str | None, region: str | None, children: bool) -> Wanted:
    return Wanted(Severity(severity), AlertKind(kind) if kind else None, element, region, children)


@alerts.command()
@click.option("--since", type=Moment(), help="Begin with changes from then on, not with the next one.")
@click.option("--follow/--no-follow", default=True, help="Wait for more, or end with what is there now.")
@click.option("--lines", is_flag=True, help="Print changes line by line, in a terminal too.")
@_filters
@_JSON
@plain_errors
def tail(since: datetime | None, follow: bool, lines: bool, as_json: bool, **filters: Any) -> None:
    """Watch alerts until Ctrl-C: a live picture of what stands, or every change as a line where no terminal reads it.

    Changes come from the Kafka topic `alerts`, what stands from `alerts.state`. TIME is an instant
    (2026-01-31T12:00:00Z) or an age (90s, 15m, 2h, 1d).

    Example: meterstream alerts tail --severity warning --region NSW

    Example: meterstream alerts tail --no-follow --json | jq .data.alert.element
    """
    url, wanted = find_endpoints(settings.load(), needs=("kafka_url",)).kafka_url, _wanted(**filters)
    try:
        if follow and since is None and not lines and not as_json and output().is_terminal:
            from stream.cli.alerts_board import watch  # noqa: PLC0415 - a screen that pipes do not need

            watch(standing_now(url), wanted)
            return
        feed: Generator[AlertEvent | None, None, None] = live(url, since) if follow else passed(url, since)
        with closing(feed):
            _print_each(feed, wanted, as_json)
    except KeyboardInterrupt:
        return


@alerts.command("list")
@click.option("--since", type=Moment(), help="Leave out alerts that were last seen before.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many at most.")
@click.option("--open", "standing", is_flag=True, help="Leave out those that are over.")
@_filters
@_JSON
@plain_errors
def list_alerts(since: datetime | None, limit: int, standing: bool, as_json: bool, **filters: Any) -> None:
    """Print the newest alerts of the database, newest first.

    Example: meterstream alerts list --open --severity critical

    Example: meterstream alerts list --since 1d --json | jq .message
    """
    url = find_endpoints(settings.load(), needs=("database_url",)).database_url
    found = kept(url, _wanted(**filters), since, limit, standing=standing)
    console = output()
    for alert in found:
        if as_json:
            click.echo(alert.model_dump_json())
        else:
            console.print(state_line(alert), soft_wrap=True)
    if not found and not as_json:
        click.echo("no alerts", err=True)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@_JSON
@plain_errors
def show(alert_id: str, as_json: bool) -> None:
    """Print all that is known of an alert, and everything that became of it.

    Example: meterstream alerts show 3f9a61c2
    """
    url = find_endpoints(settings.load(), needs=("database_url",)).database_url
    alert = acts.find(url, alert_id)
    past = history(url, alert.alert_id)
    if as_json:
        events = [event.model_dump(mode="json") for event in past]
        click.echo(json.dumps({"alert": alert.model_dump(mode="json"), "history": events}))
    else:
        output().print(details(alert, past))


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many at most.")
@click.option("--after", default="", metavar="ELEMENT", help="Begin behind this one: the last of the page before.")
@_JSON
@plain_errors
def children(alert_id: str, limit: int, after: str, as_json: bool) -> None:
    """Print what is attached to an alert: the meters of an outage, or the alerts of a group, each with its time.

    Example: meterstream alerts children 3f9a61c2

    Example: meterstream alerts children 3f9a61c2 --limit 100000 --json | jq -r .element
    """
    url = find_endpoints(settings.load(), needs=("database_url",)).database_url
    alert = acts.find(url, alert_id)
    found = attached(url, alert.alert_id, after, limit)
    for child in found:
        click.echo(child.model_dump_json() if as_json else child_line(child))
    if len(found) == limit and not as_json:
        click.echo(f"of {alert.children:,}; more with --after {found[-1].element}", err=True)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@_BY
@_NOTE
@plain_errors
def ack(alert_id: str, by: str, note: str) -> None:
    """Take an alert on: it no longer goes to the next in line. What is part of it is taken on with it.

    Example: meterstream alerts ack 3f9a61c2 --note "crew is on its way"
    """
    _act(acts.acknowledge, alert_id, by, note)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@_BY
@_NOTE
@plain_errors
def resolve(alert_id: str, by: str, note: str) -> None:
    """Say that an alert is over, without waiting for the engine to see it. What is part of it is over with it.

    Example: meterstream alerts resolve 3f9a61c2 --note "meter replaced"
    """
    _act(acts.resolve, alert_id, by, note)


@alerts.command()
@click.argument("channel", metavar="CHANNEL")
@plain_errors
def test(channel: str) -> None:
    """Send a notice that says it is a test through one channel of the routes file, and its end; says what came of it.

    Example: METERSTREAM_ALERTS__ROUTES_FILE=routes.toml meterstream alerts test pager
    """
    from stream.alerting.trial import try_channel  # noqa: PLC0415 - loading HTTP takes a while

    try_channel(settings.load().alerts.routes_file, channel, datetime.now(UTC))
    click.echo(f"{channel} has taken a test notice and its end")


@alerts.command()
@click.argument("element", metavar="ELEMENT")
@click.option("--for", "span", type=Duration(), required=True, help="How long.")
@click.option("--from", "begins_at", type=Moment(), help="When it begins, for maintenance that is planned; now.")
@click.option(
    "--every", type=Duration(), help="It returns after so many whole days, such as 1d or 7d, at the same time."
)
@click.option("--timezone", default="UTC", show_default=True, help="Whose time of day that is.")
@click.option("--until", type=Moment(), help="When it begins no more, of one that returns; never.")
@click.option("--kind", type=click.Choice(_names(AlertKind)), metavar="KIND", help="One kind only.")
@click.option("--reason", required=True, help="Why; it goes into the history of every alert that it covers.")
@_BY
@plain_errors
def silence(element: str, span: timedelta, begins_at: datetime | None, kind: str | None, **said: Any) -> None:
    """Tell nobody of an element for a while, nor of anything that it feeds; alerts are still kept and published.

    ELEMENT is one such as meter/M00000001, transformer/T1, feeder/F12, substation/S3, region/NSW, market/omie/ES, or
    alert/ID for one alert alone.

    Example: meterstream alerts silence feeder/F12 --for 4h --reason "line work"

    Example: meterstream alerts silence alert/3f9a61c2 --for 1d --reason "known, meter ordered"

    Example: meterstream alerts silence region/NSW --from 2026-02-01T02:00+11:00 --for 2h --every 7d
    --timezone Australia/Sydney --reason "backups of the head end"
    """
    url = find_endpoints(settings.load(), needs=("database_url",)).database_url
    if element.startswith("alert/"):
        element = f"alert/{acts.find(url, element.removeprefix('alert/')).alert_id}"
    elif "/" not in element:
        raise click.BadParameter(f"{element!r} is no element such as meter/M1 or feeder/F12", param_hint="ELEMENT")
    begin, every_days = begins_at or datetime.now(UTC), _days(said.pop("every"))
    try:
        of = AlertKind(kind) if kind else None
        wanted = Silence(element, of, begin, begin + span, every_days=every_days, **said)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo(silence_line(replace(wanted, silence_id=acts.silence(url, wanted))))


@alerts.command()
@plain_errors
def silences() -> None:
    """Print the silences and maintenance windows that hold or will, with their numbers."""
    url = find_endpoints(settings.load(), needs=("database_url",)).database_url
    found = acts.silences(url, datetime.now(UTC))
    for one in found:
        click.echo(f"{silence_line(one)}, by {one.by}: {one.reason}")
    if not found:
        click.echo("no silences", err=True)


@alerts.command()
@click.argument("number", metavar="NUMBER", type=int)
@_BY
@plain_errors
def unsilence(number: int, by: str) -> None:
    """Take a silence or maintenance window back.

    Example: meterstream alerts unsilence 12
    """
    url = find_endpoints(settings.load(), needs=("database_url",)).database_url
    acts.unsilence(url, number, by, datetime.now(UTC))
    click.echo(f"silence {number} is taken back by {by}")


def _act(act: Callable[[str, str, str, datetime, str], AlertState], alert_id: str, by: str, note: str) -> None:
    """Do to an alert what an operator asks for, and say where it stands then."""
    url = find_endpoints(settings.load(), needs=("database_url",)).database_url
    alert = act(url, alert_id, by, datetime.now(UTC), note)
    click.echo(f"{alert.alert_id} is {alert.status} by {by}: {alert.message}")


def _days(every: timedelta | None) -> int | None:
    if every is None:
        return None
    if every % timedelta(days=1):
        raise click.BadParameter("it takes whole days, such as 1d or 7d", param_hint="--every")
    return every.days


def _print_each(feed: Iterable[AlertEvent | None], wanted: Wanted, as_json: bool) -> None:
    console = output()
    for event in feed:
        if event is None or not wanted.has(event.data.alert):
            continue
        if as_json:
            click.echo(event.model_dump_json())
        else:
            console.print(event_line(event), soft_wrap=True)
