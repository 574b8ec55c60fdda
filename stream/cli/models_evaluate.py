"""`meterstream models evaluate`: the engine's scores and other detectors on data with known truth."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from models.evaluation import series as sets
from models.evaluation.baselines import baselines
from models.evaluation.bench import ENGINE, run, split
from models.evaluation.engine import engine
from models.evaluation.healthy import Alarms, count
from models.evaluation.pictures import can_draw, draw
from models.evaluation.series import Series
from schemas.errors import ConfigurationError
from simulators.replay.recorded import open_recorded
from stream.cli.errors import plain_errors
from stream.training import report
from stream.training.labelled import healthy as healthy_fleet
from stream.training.labelled import simulated

_LABELLED: dict[str, Callable[[Path], Iterator[Series]]] = {
    "nab": sets.nab,
    "appliance_faults": sets.appliance_faults,
    "dutch_power_demand": sets.dutch_power_demand,
    "transformer_iot": sets.transformer_iot,
}
#: Data in which nothing is known to be wrong: folder (the format's name) and file.
_CLEAN = {
    "sgsc_meters": "smart_meter10.csv.gz",
    "uci_household": "household_power_consumption_2006-12-16_2007-01-14.csv.gz",
}
_SIMULATED = "simulator"
_TUNING_SEED, _TEST_SEED = 11, 23
#: Healthy meters for each one of a fleet with faults, and for how long: two weeks to learn and two to watch [d].
_HEALTHY_TIMES, _HEALTHY_DAYS = 5, 28


@click.command(
    "evaluate",
    epilog="\b\nExamples:\n"
    "  meterstream models evaluate --set simulator --report report\n"
    "  meterstream models evaluate --data data --json",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the public data sets, one folder each; those that are missing are left out.",
)
@click.option("--set", "chosen", multiple=True, help="Only this data set; may be given again.")
@click.option("--detector", "wanted", multiple=True, help="Only this detector; may be given again.")
@click.option("--meters", type=click.IntRange(20), default=60, show_default=True, help="Of each simulated fleet.")
@click.option(
    "--report", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write tables and pictures here."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything that was measured as one JSON object.")
@plain_errors
def evaluate_command(
    data: Path | None,
    chosen: tuple[str, ...],
    wanted: tuple[str, ...],
    meters: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure the engine's scores beside other detectors: by reading, by event, in time, in noise.

    Every detector has one threshold, chosen on some series that are then left out of the figures. The engine's forest
    knows the first 15 % of each series, as the others' fits do, and those count for nobody.
    """
    labelled = list(_labelled(data, chosen, meters))
    if not split(labelled)[1]:
        raise ConfigurationError(f"there is nothing to evaluate on; known sets are {[*_LABELLED, _SIMULATED]}")
    detectors = {ENGINE: engine, **baselines()}
    unknown = sorted(set(wanted) - set(detectors))
    if unknown:
        raise ConfigurationError(f"unknown detectors {unknown}; there are {sorted(detectors)}")
    detectors = {name: one for name, one in detectors.items() if not wanted or name in wanted}
    results = run(labelled, detectors, lambda name: click.echo(f"running {name}", err=True))
    healthy = dict(_healthy(data, chosen, meters))
    text = report.tables(results, healthy)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = draw(folder, split(labelled)[1], results, healthy) if can_draw() else []
        if not pictures:
            click.echo("no pictures: they need matplotlib (pip install matplotlib)", err=True)
        click.echo(f"written: {report.write(folder, text, pictures)}", err=True)
    click.echo(json.dumps(report.as_json(results, healthy)) if as_json else text)


def _labelled(data: Path | None, chosen: tuple[str, ...], meters: int) -> Iterator[Series]:
    for name, read in _LABELLED.items():
        if data is not None and (data / name).is_dir() and (not chosen or name in chosen):
            yield from read(data / name)
    if not chosen or _SIMULATED in chosen:
        yield from simulated("tuning", meters, _TUNING_SEED)
        yield from simulated(_SIMULATED, meters, _TEST_SEED)


def _healthy(data: Path | None, chosen: tuple[str, ...], meters: int) -> Iterator[tuple[str, Alarms]]:
    for name, file in _CLEAN.items():
        if data is not None and (data / name / file).exists() and (not chosen or name in chosen):
            yield name, count(open_recorded(data / name / file, name).batches)
    if not chosen or _SIMULATED in chosen:
        for name, readings in healthy_fleet(_HEALTHY_TIMES * meters, _TEST_SEED, _HEALTHY_DAYS):
            yield f"simulated {name}", count([readings])
