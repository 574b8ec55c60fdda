"""The options that every simulation has, and the end that it comes to."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from stream.cli.moments import Moment
from stream.cli.quantities import Duration, Speedup
from stream.simulate.run import Outcome

F = TypeVar("F", bound=Callable[..., Any])

_INTERRUPTED = 130


def run_options(rows: str) -> Callable[[F], F]:
    """Return what adds the options of a run that sends some kind of rows, such as `readings`."""
    options = (
        click.option(
            "--seed", type=click.IntRange(0), default=7, show_default=True, help=f"Equal seeds give equal {rows}."
        ),
        click.option(
            "--start",
            type=Moment(),
            help="Begin of the run: a time or an age. Default: now at speed-up 1, else so that the run ends now.",
        ),
        click.option("--duration", type=Duration(), default="24h", show_default=True, help="Simulated time."),
        click.option(
            "--speedup",
            type=Speedup(),
            default="600",
            show_default=True,
            help="Simulated seconds per second; max: no schedule.",
        ),
        click.option(
            "--publishers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share it."
        ),
        click.option(
            "--labels",
            "labels_file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the labels here (Parquet).",
        ),
        click.option("--dry-run", is_flag=True, help="Build everything, print its shape, send nothing."),
        click.option("--hash", "fingerprint", is_flag=True, help="Print one number that stands for all that is sent."),
        click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object."),
    )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def start_of(choices: dict[str, Any]) -> datetime:
    """Return when a run starts: as it was asked for, or so that it ends now, or now where it keeps real time."""
    start: datetime | None = choices["start"]
    if start is not None:
        return start
    return datetime.now(UTC) - (timedelta() if choices["speedup"] == 1 else choices["duration"])


def finish(outcome: Outcome, said: dict[str, Any] | None, tell: Callable[[], None]) -> None:
    """Print what a run came to, as JSON where there is some, and exit: 0 only if everything was acknowledged."""
    if said is not None:
        click.echo(json.dumps(said))
    else:
        tell()
    report = outcome.summary.report
    sys.exit(_INTERRUPTED if report.stopped else 0 if report.acked == report.readings else 1)
