"""`meterstream simulate score`: what the engine said about a simulated run against its labels."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import click
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from schemas.errors import ConfigurationError
from simulators.faults import MARKET_CLASSES
from simulators.labels import Label, read_labels
from simulators.score import NO_FAULT, Score, score
from stream import settings
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.cli.quantities import Duration
from stream.endpoints import resolve
from stream.simulate.evidence import gather
from stream.simulate.scoreboard import NOTHING_SAID, days_of, page, share, span

#: Nobody reads a file in a window that happens to be narrow.
_FILE_WIDTH = 160


@click.command(
    "score",
    epilog="\b\nExample:\n"
    "  meterstream simulate meters --duration 48h --profile showcase --labels run.parquet\n"
    "  meterstream simulate score --labels run.parquet --html run.html",
)
@click.option(
    "--labels",
    "labels_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The labels of the run (Parquet).",
)
@click.option("--since", type=Moment(), help="Begin of the run. Default: that of the first label.")
@click.option("--until", type=Moment(), help="End of the run. Default: that of the last label.")
@click.option(
    "--grace", type=Duration(), default="30m", show_default=True, help="A fault may be noticed so much later."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the tables as a page, too.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@plain_errors
def score_command(
    labels_file: Path,
    since: datetime | None,
    until: datetime | None,
    grace: timedelta,
    html: Path | None,
    as_json: bool,
) -> None:
    """Score the engine's flags, alerts and rejects in the database against the labels of a simulated run.

    Recall, precision and delay by class of faults, what each kind of sign is worth, and which sign found which fault.
    Labels are of a fleet or of markets; what was said about the other is left out.
    """
    truth = _read(labels_file)
    begin, end = _span(truth, since, until)
    url = resolve(settings.load(), ["database_url"]).database_url
    evidence = gather(url, begin, end + grace, markets=_of_markets(truth))
    found = score(truth, evidence.signs, evidence.meter_days, grace.total_seconds())
    if html is not None:
        html.write_text(page(found, f"{labels_file.name}: {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"))
    if as_json:
        click.echo(json.dumps({"since": begin.isoformat(), "until": end.isoformat(), **asdict(found)}))
    else:
        _print(found)


def _read(path: Path) -> list[Label]:
    try:
        return read_labels(path)
    except (pa.ArrowException, ValueError) as error:
        raise ConfigurationError(f"{path.name} holds no labels: {error}") from error


def _of_markets(truth: list[Label]) -> bool:
    """Say whether labels are those of markets.

    Raises:
        ConfigurationError: they are of both.
    """
    kinds = {label.fault in MARKET_CLASSES for label in truth}
    if len(kinds) > 1:
        raise ConfigurationError("these labels are of a fleet and of markets: score each run by its own")
    return True in kinds


def _span(truth: list[Label], since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    if not truth and (since is None or until is None):
        raise ConfigurationError("nothing is labelled, so the run has to be named: use --since and --until")
    begin = since or min(label.start for label in truth)
    end = until or max(label.end for label in truth)
    if end <= begin:
        raise ConfigurationError(f"the run would end at {end.isoformat()}, before it begins at {begin.isoformat()}")
    return begin, end


def _print(found: Score) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    faults = _table("faults", "labelled", "detected", "recall", "precision", "delay p50", "delay p90")
    for one in found.classes:
        delays = span(one.delay_p50_s), span(one.delay_p90_s)
        faults.add_row(
            one.fault.value, str(one.labelled), str(one.detected), share(one.recall), share(one.precision), *delays
        )
    # Signs have numbers: a column for each name would be too wide for any terminal.
    signs = _table("signs", "no.", "all", "on a fault", "precision", "unplaced")
    finders = [kind.kind for kind in found.kinds if any(row.get(kind.kind) for row in _faults(found))]
    for number, kind in enumerate(found.kinds, 1):
        told = f"{kind.signs:,}", f"{kind.true:,}", share(kind.precision), f"{kind.unplaced:,}"
        signs.add_row(kind.kind, str(number), *told)
    number_of = {kind.kind: str(number) for number, kind in enumerate(found.kinds, 1)}
    confusion = _table("found by sign no.", *(number_of[kind] for kind in finders))
    for name, row in found.confusion.items():
        confusion.add_row(name, *(f"{row[kind]:,}" if row.get(kind) else "·" for kind in finders))
    for table in (faults, signs, confusion) if found.kinds else (faults,):
        console.print(table)
    if not found.kinds:
        console.print(NOTHING_SAID)
    alarms = "-" if found.false_per_10k_meter_days is None else f"{found.false_per_10k_meter_days:,.1f}"
    console.print(
        f"{found.false_alarms:,} false alarms in {found.meter_days:,.1f} {days_of(found)}: {alarms} per 10,000",
        highlight=False,
    )


def _faults(found: Score) -> list[dict[str, int]]:
    return [row for name, row in found.confusion.items() if name != NO_FAULT]


def _table(*head: str) -> Table:
    table = Table(box=None, header_style="bold")
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left")
    return table
