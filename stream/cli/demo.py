"""`meterstream demo`: everything from nothing, with something to look at."""

import sys
import time
from pathlib import Path

import click

from stream import settings
from stream.cli.errors import plain_errors

_STARTED = time.monotonic()


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="Feed for so long, then end; otherwise until Ctrl-C.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here, as JSON.")
@click.option("--meters", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="Size of the fleet.")
@click.option("--seed", type=int, default=7, show_default=True, help="Of everything that is invented.")
@click.option("--purge", is_flag=True, help="Remove the local stack's data in the end.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of recorded data sets; ../shared/data where it is there.",
)
@plain_errors
def demo(seconds: float | None, report: Path | None, meters: int, seed: int, purge: bool, data: Path | None) -> None:
    """Bring everything up, feed a simulated fleet through it, and show what happens.

    Starts the local stack, a bridge and a worker where they do not run; every meter gets two days of a past, then a
    quarter of an hour goes by in every second, with anomalies, duplicates, stragglers and nonsense among the
    readings. In the end everything is drained and proved (see `meterstream reconcile`). The exit code is 0 only if
    something was stored and nothing is unaccounted for. Whatever was started here ends with this command.

    Example: meterstream demo

    Example: meterstream demo --seconds 60 --report r.json --purge
    """
    # The engine's libraries take a second to load that `--help` should not.
    from stream.demo.options import Options  # noqa: PLC0415
    from stream.demo.run import run  # noqa: PLC0415
    from stream.demo.screen import screen  # noqa: PLC0415

    options = Options(meters, seed, seconds, report, purge, data)
    sys.exit(run(settings.load(), options, screen(_STARTED), _STARTED))
