"""`meterstream models`: train models that score readings, and say which one serves."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from models.manifest import Manifest
from models.refused import ModelRefused
from models.registry import Registry
from models.training import Plan, train
from schemas.errors import ConfigurationError
from schemas.readings import ReadingBatch
from simulators.replay.formats import FORMATS
from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.cli.models_evaluate import evaluate_command
from stream.cli.models_market import train_market_command
from stream.cli.quantities import Duration
from stream.endpoints import resolve
from stream.training.source import Source, from_file, from_fleet, holidays_of
from stream.training.stored import from_database, newest_reading

_SIMULATED_START = datetime(2024, 1, 1, tzinfo=UTC)


@click.group()
def models() -> None:
    """Train models that score readings, and say which one serves."""


models.add_command(evaluate_command)
models.add_command(train_market_command)


@models.command(
    "train",
    epilog="\b\nExamples:\n"
    "  meterstream models train readings.parquet --holidays AU --promote\n"
    "  meterstream models train household.csv.gz --format uci_household\n"
    "  meterstream models train --stored 28d --holidays AU\n"
    "  meterstream models train --simulate 28d --meters 500 --promote",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--format", "format_name", type=click.Choice(sorted(FORMATS)), help="Of the file, if not Parquet.")
@click.option("--stored", type=Duration(), help="Train on so much time up to the newest reading in the database.")
@click.option("--simulate", "span", type=Duration(), help="Train on so much time of a simulated fleet instead.")
@click.option("--meters", type=click.IntRange(1), default=500, show_default=True, help="Of the simulated fleet.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Of fleet and forest.")
@click.option("--name", help="Of the model. Default: the one that the settings name.")
@click.option("--version", help="Of the model. Default: the time.")
@click.option("--holidays", "country", help="Country whose public holidays count, as ISO 3166 code.")
@click.option("--trees", type=click.IntRange(1, 1_000), default=100, show_default=True, help="Of the forest.")
@click.option("--promote", is_flag=True, help="Let it serve at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as one JSON object.")
@plain_errors
def train_command(
    file: Path | None,
    format_name: str | None,
    stored: timedelta | None,
    span: timedelta | None,
    meters: int,
    seed: int,
    name: str | None,
    version: str | None,
    country: str | None,
    trees: int,
    promote: bool,
    as_json: bool,
) -> None:
    """Fit a forest on readings of which most are ordinary, calibrate it on later ones, and measure it on the last.

    Readings come from FILE (Parquet with our column names, or a format that can be replayed), from the database, or
    from a simulation.
    """
    now, chosen = datetime.now(UTC), settings.load()
    if [file, stored, span].count(None) != 2:
        raise ConfigurationError("name one of these: a FILE of readings, a span that is --stored, or one to --simulate")
    if stored is not None:
        source, first, last = _stored(chosen, stored)
    else:
        source, first, last = _source(file, format_name, span, meters, seed)
    plan = Plan(
        name=name or chosen.models.name,
        version=version or f"{now:%Y%m%dT%H%M%SZ}",
        source=source.name,
        holidays=holidays_of(country, first, last),
        trained_at=now,
        trees=trees,
        seed=seed,
    )
    registry = Registry(chosen.models_dir)
    manifest, model = train(_watched(source), plan, source.classes)
    registry.add(manifest, model)
    if promote:
        registry.promote(plan.name, plan.version)
    if as_json:
        click.echo(manifest.model_dump_json(exclude={"probe", "calibration"}))
    else:
        _print(manifest, promoted=promote)


def _stored(chosen: settings.Settings, span: timedelta) -> tuple[Source, int, int]:
    url = resolve(chosen, needs=("database_url",)).database_url
    end = newest_reading(url) + timedelta(microseconds=1)
    return from_database(url, end - span, end), (end - span).year, end.year + 2


def _source(
    file: Path | None, format_name: str | None, span: timedelta | None, meters: int, seed: int
) -> tuple[Source, int, int]:
    """Return the readings, and the first and last year whose holidays may matter."""
    if file is not None:
        return from_file(file, format_name), 2000, datetime.now(UTC).year + 2
    days = max((span or timedelta()).days, 1)
    end = _SIMULATED_START + timedelta(days=days)
    return from_fleet(meters, seed, _SIMULATED_START, days, 900), _SIMULATED_START.year, end.year + 2


def _watched(source: Source) -> Iterator[ReadingBatch]:
    """Show how many readings have been taken, and how long the others will take."""
    console = Console(stderr=True)
    columns = TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=source.total)
        for batch in source.batches:
            yield batch
            bar.advance(task, len(batch))


def _print(manifest: Manifest, *, promoted: bool) -> None:
    data = manifest.data
    click.echo(f"trained {manifest.name}/{manifest.version} on {data.readings:,} readings of {data.meters:,} meters")
    click.echo(f"from {data.source}: {data.start:%Y-%m-%d} to {data.end:%Y-%m-%d}")
    for name, value in manifest.metrics.items():
        click.echo(f"  {name}: {value:g}")
    if not promoted:
        click.echo(f"it does not serve yet: meterstream models promote {manifest.version}")


@models.command("list", epilog="\b\nExample:\n  meterstream models list --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per version.")
@plain_errors
def list_command(as_json: bool) -> None:
    """List the versions of every model, and which one serves."""
    registry = Registry(settings.load().models_dir)
    table = Table("model", "version", "serves", "trained", "readings", "source", box=None, header_style="bold")
    for name in registry.names():
        serving = registry.serving(name)
        roles = {serving.shadow: "shadow", serving.champion: "champion"}
        for version in registry.versions(name):
            row = {
                "model": name,
                "version": version,
                "champion": version == serving.champion,
                "shadow": version == serving.shadow,
                **_about(registry, name, version),
            }
            if as_json:
                click.echo(json.dumps(row))
            else:
                shown = (row.get("trained_at", ""), f"{row.get('readings', 0):,}", row.get("source") or row["refused"])
                table.add_row(name, version, roles.get(version, ""), *(str(cell) for cell in shown))
    if not as_json:
        output().print(table)


def _about(registry: Registry, name: str, version: str) -> dict[str, str | int]:
    try:
        manifest = registry.manifest(name, version)
    except ModelRefused as refusal:
        return {"refused": refusal.reason}
    trained_at = f"{manifest.trained_at:%Y-%m-%dT%H:%M:%SZ}"
    return {"trained_at": trained_at, "readings": manifest.data.readings, "source": manifest.data.source}


@models.command("show", epilog="\b\nExample:\n  meterstream models show 20240201T000000Z | jq .metrics")
@click.argument("version")
@click.option("--name", help="Of the model. Default: the one that the settings name.")
@plain_errors
def show_command(version: str, name: str | None) -> None:
    """Print what is written down about a version, as JSON, after loading it: a broken one fails with the reason."""
    chosen = settings.load()
    scorer = Registry(chosen.models_dir).load(name or chosen.models.name, version)
    click.echo(scorer.manifest.model_dump_json(indent=2, exclude={"probe"}))


@models.command("promote", epilog="\b\nExample:\n  meterstream models promote 20240201T000000Z")
@click.argument("version")
@click.option("--name", help="Of the model. Default: the one that the settings name.")
@plain_errors
def promote_command(version: str, name: str | None) -> None:
    """Let a version serve; running workers take it within seconds and lose nothing."""
    chosen = settings.load()
    name = name or chosen.models.name
    Registry(chosen.models_dir).promote(name, version)
    click.echo(f"{name}/{version} serves")


@models.command(
    "shadow", epilog="\b\nExamples:\n  meterstream models shadow 20240201T000000Z\n  meterstream models shadow --none"
)
@click.argument("version", required=False)
@click.option("--none", "ends", is_flag=True, help="End it: nothing runs beside the champion.")
@click.option("--name", help="Of the model. Default: the one that the settings name.")
@plain_errors
def shadow_command(version: str | None, ends: bool, name: str | None) -> None:
    """Let a version score beside the champion: its scores are stored (`shadow_score`) and do nothing else."""
    if (version is None) != ends:
        raise ConfigurationError("name either a VERSION or --none")
    chosen = settings.load()
    name = name or chosen.models.name
    Registry(chosen.models_dir).shadow(name, version)
    click.echo(f"nothing runs beside the champion of {name}" if ends else f"{name}/{version} runs in the shadow")


@models.command("rollback", epilog="\b\nExample:\n  meterstream models rollback")
@click.option("--name", help="Of the model. Default: the one that the settings name.")
@plain_errors
def rollback_command(name: str | None) -> None:
    """Let the version serve that served before."""
    chosen = settings.load()
    name = name or chosen.models.name
    version = Registry(chosen.models_dir).rollback(name)
    click.echo(f"{name}/{version} serves again")
