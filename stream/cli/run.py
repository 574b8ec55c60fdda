"""`meterstream run`: the long-running processes of the engine."""

import faulthandler
import json
import sys
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from simulators.feeds.formats import FEEDS, find_feed
from stream import logs, settings
from stream.cli.errors import plain_errors
from stream.cli.quantities import Duration


@click.group()
def run() -> None:
    """Run one process of the engine in the foreground; SIGTERM or Ctrl-C stops it in order.

    All need the services: `meterstream stack up`, or METERSTREAM_..._URL.

    Example: meterstream run bridge
    """
    # A crash inside a native library should leave a trace of where it was.
    faulthandler.enable()


@run.command()
@plain_errors
def bridge() -> None:
    """Carry MQTT messages to Kafka; acknowledge each only when Kafka has it.

    Several bridges share the feed: start as many as you need. What it does is on /metrics and /health (the port is in
    <local_dir>/run/bridge-<pid>.json).

    Example: METERSTREAM_MQTT_URL=mqtts://broker:8883 METERSTREAM_MQTT__USERNAME=bridge meterstream run bridge
    """
    # Loading a bridge takes a second that `--help` should not.
    from stream.bridge.run import run as run_bridge  # noqa: PLC0415

    chosen = settings.load()
    logs.configure(chosen.log_level)
    sys.exit(run_bridge(chosen))


@run.command()
@plain_errors
def worker() -> None:
    """Validate, flag, score and store readings from Kafka; raise alerts.

    Several workers share the partitions. A worker that ends with exit code 70 should be started anew; it goes on
    where the database stands. What it does is on /metrics and /health (the port is in
    <local_dir>/run/worker-<pid>.json).

    Example: METERSTREAM_WORKER__CHECKPOINT_INTERVAL_S=30 meterstream run worker
    """
    # Loading Faust takes a second that `--help` should not.
    from stream.worker.run import run as run_worker  # noqa: PLC0415

    chosen = settings.load()
    logs.configure(chosen.log_level)
    sys.exit(run_worker(chosen))


@run.command()
@plain_errors
def alerts() -> None:
    """Make alerts of what workers raise: open them, end them, tell Kafka.

    One desk is active, others stand by and take over when it ends. What it does is on /metrics and /health (the port is
    in <local_dir>/run/alerts-<pid>.json).

    Example: METERSTREAM_ALERTS__RULES_FILE=alerts.toml meterstream run alerts
    """
    from stream.alerting.run import run as run_desk  # noqa: PLC0415 - as above

    chosen = settings.load()
    logs.configure(chosen.log_level)
    sys.exit(run_desk(chosen))


_FORMATS = "\n".join(f"    {feed.name:9} {feed.summary}" for feed in FEEDS.values())


@run.command(
    help=f"""Publish the ticks of published market files: of files, folders, URLs, and pages that link to files.

    Looks every so often, asks only for what has changed, waits where a publisher asks for it or is away, and goes on
    after a restart where it stood. What was published before is not published again; a figure that was changed in
    place is published as the next revision. In a URL, %Y %m %d stand for a day.

    \b
    Formats:
{_FORMATS}

    Examples:

    meterstream run feed prices/ --format omie --once

    meterstream run feed https://nemweb.com.au/Reports/Current/DispatchIS_Reports/ --format aemo --match "*.zip"
    """
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--format", "format_name", required=True, metavar="NAME", help="Format of the files, see above.")
@click.option("--every", type=Duration(), default="5m", show_default=True, help="How often to look.")
@click.option("--once", is_flag=True, help="Look once and say what came of it; exits with 1 on any problem.")
@click.option("--match", default="*", show_default=True, help="Files that count, in a folder or on a page.")
@click.option(
    "--days", type=click.IntRange(0, 366), default=1, show_default=True, help="Days before today, for a URL of a day."
)
@click.option("--json", "as_json", is_flag=True, help="With --once, print one JSON object.")
@plain_errors
def feed(sources: tuple[str, ...], format_name: str, every: timedelta, once: bool, as_json: bool, **more: Any) -> None:
    """Poll the places of a feed."""
    from stream.feed.poll import Wanted  # noqa: PLC0415 - loading pyarrow takes a second that `--help` should not
    from stream.feed.run import run as run_feed  # noqa: PLC0415
    from stream.feed.run import run_once  # noqa: PLC0415

    wanted = Wanted(sources, find_feed(format_name), more["match"], more["days"])
    chosen = settings.load()
    logs.configure(chosen.log_level)
    if not once:
        sys.exit(run_feed(wanted, chosen, every.total_seconds()))
    done = run_once(wanted, chosen)
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        click.echo(
            f"{done.files:,} files: {done.ticks:,} ticks published, {done.known:,} known before, "
            f"{done.refused:,} refused, {done.problems:,} problems{'; stopped before the end' if done.stopped else ''}"
        )
    sys.exit(1 if done.problems or done.refused or done.stopped else 0)
