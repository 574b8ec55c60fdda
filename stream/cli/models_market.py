"""`meterstream models train-market`: train a model that scores ticks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np

from models.registry import Registry
from models.tick_training import train_ticks
from models.training import Plan
from schemas.errors import ConfigurationError
from schemas.markets import Markets
from simulators.feeds.formats import FEEDS
from stream import settings
from stream.cli.errors import plain_errors
from stream.cli.quantities import Duration
from stream.endpoints import resolve
from stream.markets import load_markets
from stream.training.ticks import TickSource, ticks_from_database, ticks_from_file, ticks_from_markets

#: Of 256 ticks, what Liu, Ting and Zhou take, none is a jump: prices have far heavier tails than what they looked at.
_SAMPLES = 1_024
_SIMULATED_START = datetime(2024, 1, 1, tzinfo=UTC)


@click.command(
    "train-market",
    epilog="\b\nExamples:\n"
    "  meterstream models train-market prices.csv.gz --format aemo --promote\n"
    "  meterstream models train-market --stored 28d\n"
    "  meterstream models train-market --simulate 7d --promote",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--format", "format_name", type=click.Choice(sorted(FEEDS)), help="Of the file.")
@click.option("--stored", type=Duration(), help="Train on so much time up to the newest tick in the database.")
@click.option("--simulate", "span", type=Duration(), help="Train on so much time of simulated markets instead.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Of markets and forest.")
@click.option("--name", help="Of the model. Default: the one that the settings name for markets.")
@click.option("--version", help="Of the model. Default: the time.")
@click.option("--trees", type=click.IntRange(1, 1_000), default=100, show_default=True, help="Of the forest.")
@click.option("--promote", is_flag=True, help="Let it serve at once.")
@plain_errors
def train_market_command(
    file: Path | None,
    format_name: str | None,
    stored: timedelta | None,
    span: timedelta | None,
    seed: int,
    name: str | None,
    version: str | None,
    trees: int,
    promote: bool,
) -> None:
    """Fit a forest on ticks of which most are ordinary, calibrate it on later ones, and measure it on the last.

    Ticks come from FILE (a published format), from the database, or from a simulation.
    """
    now, chosen = datetime.now(UTC), settings.load()
    if [file, stored, span].count(None) != 2:
        raise ConfigurationError("name one of these: a FILE of ticks, a span that is --stored, or one to --simulate")
    markets = load_markets(chosen.markets_file)
    if stored is not None:
        source = ticks_from_database(resolve(chosen, needs=("database_url",)).database_url, stored)
    else:
        source = _source(file, format_name, span, seed, markets)
    plan = Plan(
        name=name or chosen.models.market_name,
        version=version or f"{now:%Y%m%dT%H%M%SZ}",
        source=source.name,
        holidays=np.empty(0, dtype=np.int64),
        trained_at=now,
        trees=trees,
        samples=_SAMPLES,
        seed=seed,
    )
    registry = Registry(chosen.models_dir)
    manifest, model = train_ticks(source.batches, markets, plan)
    registry.add(manifest, model)
    if promote:
        registry.promote(plan.name, plan.version)
    data = manifest.data
    click.echo(f"trained {plan.name}/{plan.version} on {data.readings:,} ticks of {data.meters:,} series")
    click.echo(f"from {data.source}: {data.start:%Y-%m-%d} to {data.end:%Y-%m-%d}")
    for metric, value in manifest.metrics.items():
        click.echo(f"  {metric.replace('meter', 'series')}: {value:g}")
    if not promote:
        click.echo(f"it does not serve yet: meterstream models promote {plan.version} --name {plan.name}")


def _source(
    file: Path | None, format_name: str | None, span: timedelta | None, seed: int, markets: Markets
) -> TickSource:
    if file is None:
        return ticks_from_markets(markets, seed, _SIMULATED_START, max((span or timedelta()).days, 1))
    if format_name is None:
        raise ConfigurationError(f"name the --format of {file.name}: one of {', '.join(sorted(FEEDS))}")
    return ticks_from_file(file, format_name, markets)
