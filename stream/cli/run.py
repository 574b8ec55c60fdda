"""`meterstream run`: the long-running processes of the engine."""

import faulthandler
import sys

import click

from stream import logs, settings
from stream.cli.errors import plain_errors


@click.group()
def run() -> None:
    """Run one process of the engine in the foreground; SIGTERM or Ctrl-C stops it in order.

    Both need the services: `meterstream stack up`, or METERSTREAM_..._URL.

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
