"""`meterstream grid loading|balance|conditions`: what transformers carry, what is missing, what is wrong."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from pydantic import BaseModel
from rich.table import Table

from schemas.alerts import AlertKind
from schemas.grid_physics import GridCondition, TransformerBalance, TransformerLoad
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.endpoints import resolve
from stream.grid_physics import balances, conditions, loads

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_TIME = "%Y-%m-%d %H:%M"
_KINDS = (
    AlertKind.TRANSFORMER_OVERLOAD,
    AlertKind.UNACCOUNTED_ENERGY,
    AlertKind.WRONG_TRANSFORMER,
    AlertKind.PHASE_IMBALANCE,
)
_limit = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many at most."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


@click.command("loading")
@click.option("--since", type=Moment(), help="Begin of the span; a day before its end.")
@click.option("--until", type=Moment(), help="End of the span; now.")
@click.option("--region", help="One region only.")
@_limit
@_json
@plain_errors
def show_loading(since: datetime | None, until: datetime | None, region: str | None, limit: int, as_json: bool) -> None:
    """Print what transformers carried against their rating, the nearest to it first, by quarter-hours.

    A transformer's own meter counts where there is one, else the sum of its customers, without losses. What makes kVA
    of kW is said as well: reactive energy, a power factor, or 0.95 where nobody has said any.

    Example: meterstream grid loading --region north --since 7d
    """
    end = until or datetime.now(UTC)
    found = loads(_database(), since or end - _DAY, end, region, limit)
    if _told(found, "nothing is known of any transformer in that time", as_json=as_json):
        return
    output().print(_loading_table(found))


@click.command("balance")
@click.argument("transformer", required=False)
@click.option("--since", type=Moment(), help="Begin of the span; seven days before its end.")
@click.option("--until", type=Moment(), help="End of the span; now.")
@_limit
@_json
@plain_errors
def show_balance(
    transformer: str | None, since: datetime | None, until: datetime | None, limit: int, as_json: bool
) -> None:
    """Print the energy balance of transformers that have meters of their own, or the days of TRANSFORMER.

    The own meter less the sum of the customers, less the losses that it is believed to have, of complete hours only.
    The registry makes a meter the transformer's own by the class `transformer`.

    Example: meterstream grid balance --since 7d

    Example: meterstream grid balance T000042 --json
    """
    end = until or datetime.now(UTC)
    found = balances(_database(), since or end - _WEEK, end, limit, transformer)
    if _told(found, "no transformer with a meter of its own (class `transformer`) in that time", as_json=as_json):
        return
    output().print(_balance_table(found))


@click.command("conditions")
@click.option("--since", type=Moment(), help="Leave out what was over before.")
@click.option("--kind", type=click.Choice([str(kind) for kind in _KINDS]), help="One kind only.")
@click.option("--open", "standing", is_flag=True, help="Leave out what is over.")
@_limit
@_json
@plain_errors
def list_conditions(since: datetime | None, kind: str | None, standing: bool, limit: int, as_json: bool) -> None:
    """Print what is or was wrong with transformers and the places of meters, the newest first.

    Example: meterstream grid conditions --open --kind unaccounted_energy
    """
    found = conditions(_database(), since, kind, limit, standing=standing)
    if _told(found, "no conditions", as_json=as_json):
        return
    output().print(_condition_table(found))


def _told(found: Sequence[BaseModel], nothing: str, *, as_json: bool) -> bool:
    """Whether all has been said without a table."""
    if as_json:
        for one in found:
            click.echo(one.model_dump_json())
    elif not found:
        click.echo(nothing)
    return as_json or not found


def _loading_table(found: Sequence[TransformerLoad]) -> Table:
    table = Table("transformer", "region", "rating kVA", "peak kVA", "peak", "at (UTC)", box=None)
    for name in ("mean", "h over", "measured by", "power factor by"):
        table.add_column(name)
    for one in found:
        table.add_row(
            one.transformer,
            one.region or "-",
            _number(one.rating_kva, ",.0f"),
            f"{one.peak_kva:,.1f}",
            _number(one.peak_loading, ".0%"),
            one.peak_at.astimezone(UTC).strftime(_TIME),
            _number(one.mean_loading, ".0%"),
            _number(one.hours_over, ",.2f"),
            one.measured_by,
            one.power_factor_by,
        )
    return table


def _balance_table(found: Sequence[TransformerBalance]) -> Table:
    table = Table("transformer", "day", "customers", "complete h", "own kWh", "customers kWh", "lost kWh", box=None)
    for name in ("expected", "residual", "share", "estimated"):
        table.add_column(name)
    for one in found:
        energies = one.own_kwh, one.customers_kwh, one.lost_kwh, one.expected_loss_kwh, one.residual_kwh
        table.add_row(
            one.transformer,
            "-" if one.day is None else one.day.isoformat(),
            f"{one.customers:,}",
            f"{one.complete_hours:,} of {one.hours:,}",
            *(_number(kwh, ",.1f") for kwh in energies),
            _number(one.residual_share, ".1%"),
            _number(one.estimated, ".1%"),
        )
    return table


def _condition_table(found: Sequence[GridCondition]) -> Table:
    table = Table("id", "kind", "element", "severity", "began (UTC)", "ended (UTC)", "what", box=None)
    for one in found:
        ended = "-" if one.ended_at is None else one.ended_at.astimezone(UTC).strftime(_TIME)
        began = one.started_at.astimezone(UTC).strftime(_TIME)
        sure = "" if one.suspect is None or one.confidence is None else f" ({one.confidence:.0%} sure)"
        table.add_row(str(one.condition_id), one.kind, one.element, one.severity, began, ended, f"{one.detail}{sure}")
    return table


def _number(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)


def _database() -> str:
    return resolve(settings.load(), needs=("database_url",)).database_url
