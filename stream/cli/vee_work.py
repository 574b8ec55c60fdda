"""`meterstream vee accept|reject|edit|estimate|report`: what people do about values, each with author and reason."""

import getpass
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from sinks.rule_ledger import keep_rule_set
from stream import settings
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.cli.quantities import Duration
from stream.database import connected
from stream.endpoints import resolve
from stream.vee import deciding
from stream.vee.deciding import Decision
from stream.vee.estimating import estimate_span
from stream.vee.report import Report, report
from stream.vee.rerunning import Span, rerun
from stream.vee.rule_book import load_rules

_Command = TypeVar("_Command", bound=Callable[..., None])

_METER = click.option("--meter", required=True, help="Meter number.")
_SINCE = click.option(
    "--from", "since", type=Moment(), required=True, help="Begin of the span; it does not belong to it."
)
_UNTIL = click.option("--until", type=Moment(), required=True, help="End of the span, the last interval's end.")
_REASON = click.option("--reason", required=True, help="Why; it is kept.")
_AUTHOR = click.option("--author", default=getpass.getuser, show_default="your login", help="Who; it is kept.")


def _decision(command: _Command) -> _Command:
    """Add what every decision says: of which meter, of which span, why and by whom."""
    for option in (_AUTHOR, _REASON, _UNTIL, _SINCE, _METER):
        command = option(command)
    return command


def _database_url() -> str:
    return resolve(settings.load(), needs=("database_url",)).database_url


def _rule_set() -> int:
    return load_rules(settings.load().worker.rules_file).version


@click.command()
@_decision
@plain_errors
def accept(meter: str, since: datetime, until: datetime, reason: str, author: str) -> None:
    """Confirm the values of a meter as they are, whatever rules say of them.

    Example: meterstream vee accept --meter M1 --from 2026-01-31T00:00Z --until 2026-02-01T00:00Z --reason "read twice"
    """
    with connected(_database_url()) as connection:
        count = deciding.accept(connection, Decision(meter, since, until, author, reason), _rule_set())
    click.echo(f"{count:,} intervals accepted")


@click.command()
@_decision
@plain_errors
def reject(meter: str, since: datetime, until: datetime, reason: str, author: str) -> None:
    """Say that the values of a meter are not to be used; `vee estimate` may then fill their place.

    Example: meterstream vee reject --meter M1 --from 2026-01-31T00:00Z --until 2026-01-31T06:00Z --reason "meter test"
    """
    with connected(_database_url()) as connection:
        count = deciding.reject(connection, Decision(meter, since, until, author, reason), _rule_set())
    click.echo(f"{count:,} intervals rejected")


@click.command()
@_decision
@click.option("--every", type=Duration(), default="15m", show_default=True, help="Length of an interval.")
@click.argument("kwh", type=float, nargs=-1, required=True)
@plain_errors
def edit(
    meter: str, since: datetime, until: datetime, reason: str, author: str, every: timedelta, kwh: tuple[float, ...]
) -> None:
    """Set the energy of a meter's intervals to KWH..., one value for each interval of the span.

    Example: meterstream vee edit --meter M1 --from 2026-01-31T12:00Z --until 2026-01-31T12:30Z --reason read 0.12 0.1
    """
    with connected(_database_url()) as connection:
        decision = Decision(meter, since, until, author, reason)
        count = deciding.edit(connection, decision, kwh, round(every.total_seconds()), _rule_set())
    click.echo(f"{count:,} intervals set")


@click.command()
@click.option("--meter", "meters", multiple=True, help="Meter number; may be repeated. All meters without it.")
@click.option("--from", "since", type=Moment(), default="7d", show_default=True, help="Begin of the span.")
@click.option("--until", type=Moment(), help="End of the span; the rule set's wait_h before now without it.")
@click.option("--rules", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A rule set.")
@click.option("--reason", default="missing or failed", show_default=True, help="Why; it is kept.")
@_AUTHOR
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def estimate(
    meters: tuple[str, ...],
    since: datetime,
    until: datetime | None,
    path: Path | None,
    reason: str,
    author: str,
    as_json: bool,
) -> None:
    """Estimate what is missing or failed, as the rule set's table `estimation` says; again changes only what differs.

    Example: meterstream vee estimate --from 2026-01-01T00:00Z --until 2026-02-01T00:00Z
    """
    rules = load_rules(path or settings.load().worker.rules_file)
    end = until or datetime.now(UTC) - timedelta(hours=rules.estimation.wait_h)
    with connected(_database_url()) as connection:
        found = estimate_span(connection, rules, since, end, meters, author, reason)
    if as_json:
        click.echo(
            json.dumps(
                {"meters": found.meters, "missing": found.missing, "estimated": found.made, "left": found.left,
                 "written": found.written}
            )
        )  # fmt: skip
        return
    click.echo(f"{found.meters:,} meters, {found.missing:,} intervals without a value that is to be used")
    for method, count in found.made.most_common():
        click.echo(f"  {method:24} {count:>8,}")
    click.echo(f"  {'not estimated':24} {found.left:>8,}")
    click.echo(f"{found.written:,} new values written")


@click.command("rerun")
@click.option("--meter", "meters", multiple=True, help="Meter number; may be repeated. All meters without it.")
@_SINCE
@_UNTIL
@click.option("--rules", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A rule set.")
@click.option("--source", help="Source of these meters' readings, in place of what their records say.")
@_REASON
@_AUTHOR
@plain_errors
def rerun_command(
    meters: tuple[str, ...],
    since: datetime,
    until: datetime,
    path: Path | None,
    source: str | None,
    reason: str,
    author: str,
) -> None:
    """Judge what is stored by a rule set as if it came again, and keep what is judged otherwise within a span.

    Everything from a meter's first reading on is gone through, in the order of arrival, so that the same rules say what
    they said in the stream. Readings stay as they are; what people have decided, too.

    Example: meterstream vee rerun --rules rules.toml --from 2026-01-01T00:00Z --until 2026-02-01T00:00Z --reason "zone"
    """
    chosen = settings.load()
    rules = load_rules(path or chosen.worker.rules_file)
    url = _database_url()
    keep_rule_set(url, rules)
    with connected(url) as connection:
        found = rerun(connection, rules, chosen.scoring.judging, Span(since, until), meters, author, reason, source)
    click.echo(
        f"{found.readings:,} readings of the span judged by rule set {rules.version}: {found.differ:,} otherwise than "
        f"before, {found.written:,} new values written"
    )


@click.command("report")
@click.option("--from", "since", type=Moment(), default="1d", show_default=True, help="Begin of the span.")
@click.option("--until", type=Moment(), default="0s", show_default="now", help="End of the span.")
@click.option("--worst", type=click.IntRange(0, 10_000), default=10, show_default=True, help="How many meters to name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def report_command(since: datetime, until: datetime, worst: int, as_json: bool) -> None:
    """Sum a span up: rules, completeness, share of estimates, and the worst meters.

    Example: meterstream vee report --from 2026-01-01T00:00Z --until 2026-02-01T00:00Z
    """
    with connected(_database_url()) as connection:
        found = report(connection, since, until, worst)
    if as_json:
        click.echo(json.dumps(found.as_json()))
        return
    _print(found)


def _print(found: Report) -> None:
    console = Console(soft_wrap=True)
    share = found.estimated / found.valued if found.valued else 0.0
    console.print(
        f"{found.meters:,} meters, {found.received:,} readings; {found.valued:,} of {found.expected:,} intervals "
        f"have a value ({found.completeness:.2%}), {found.estimated:,} of them estimated ({share:.2%}), "
        f"{found.decided:,} decided by people"
    )
    rules = Table("rule", "reason", "passed", "warned", "failed", box=None, pad_edge=False)
    for rule in found.rules:
        if rule.failed or rule.warned:
            rules.add_row(rule.rule, rule.reason, f"{rule.passed:,}", f"{rule.warned:,}", f"{rule.failed:,}")
    quiet = sum(not (rule.failed or rule.warned) for rule in found.rules)
    console.print(rules)
    console.print(f"{quiet} other rules passed everywhere")
    worst = Table("worst meters", "without value", "estimated", "failing", box=None, pad_edge=False)
    for meter in found.worst:
        lacking = meter.expected - meter.valued
        worst.add_row(meter.meter, f"{lacking:,}", f"{meter.estimated:,}", f"{meter.failed:,}")
    if found.worst:
        console.print(worst)
