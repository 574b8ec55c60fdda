"""`python -m tests.soak`: the whole system under an even load for an hour, with what grows and what does not."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from stream.engine import Engine
from stream.stack.stack import LocalStack
from tests.soak.chart import chart
from tests.soak.samples import Sample, series, slope

_METERS = 10_000
_INTERVAL_S = 900
#: What grows until every table, cache and profile has its size says nothing about what comes after [share of the run].
_WARM = 0.4
_PANELS = (
    ("rss_mb", "resident memory [MB]"),
    ("files", "open files"),
    ("lag_records", "Kafka records that wait"),
    ("rows", "readings stored"),
    ("database_mb", "size of the database [MB]"),
)


@click.command()
@click.option("--minutes", default=60.0, show_default=True, help="How long.")
@click.option("--rate", default=5_000, show_default=True, help="Readings per second.")
@click.option("--every", "every_s", default=5.0, show_default=True, help="Pause between two looks [s].")
@click.option("--report", type=click.Path(path_type=Path), default=Path("report-soak.json"), show_default=True)
@click.option("--chart", "picture", type=click.Path(path_type=Path), default=Path("report-soak.svg"), show_default=True)
def main(minutes: float, rate: int, every_s: float, report: Path, picture: Path) -> None:
    """Run servers, bridge and worker under an even load, and say what grows by how much per hour.

    The exit code is 0 only if nothing failed and all that was sent is stored.

    Example: python -m tests.soak --minutes 15 --rate 2000
    """
    # Servers and engine go in order also where somebody else ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        stack = LocalStack(Path(folder))
        endpoints = stack.up(attached=True)
        try:
            environment = {"METERSTREAM_LOCAL_DIR": folder}
            with Engine(Path(folder), environment, bridges=1, workers=1, tell=click.echo) as engine:
                while engine.unready():
                    time.sleep(0.2)
                began = time.monotonic()
                load = _load(environment, minutes, rate)
                samples = _watch(stack, engine, endpoints.database_url, load, began, every_s, minutes)
                sent = json.loads(load.communicate()[0] or "{}")
                failures, starts = list(engine.failures), sum(member.starts for member in engine.members)
        finally:
            stack.down(purge=True)
    found = _summary(samples, sent, minutes, rate)
    found |= {"failures": failures, "starts": starts, "sent": sent}
    report.write_text(json.dumps({**found, "samples": [item.as_json() for item in samples]}, indent=1) + "\n")
    title = f"{minutes:.0f} minutes at {rate:,} readings/s offered"
    picture.write_text(chart(title, [(name, series(samples, what)) for what, name in _PANELS]))
    _tell(found)
    click.echo(f"\n{report}, {picture}")
    sys.exit(bool(failures) or found["not_stored"] != 0 or load.returncode != 0)


def _load(environment: dict[str, str], minutes: float, rate: int) -> subprocess.Popen[str]:
    """Start the simulator: clean data, so that what is stored can be told from what is sent."""
    speedup = rate * _INTERVAL_S / _METERS
    words = ["simulate", "meters", "--meters", str(_METERS), "--profile", "clean", "--json", "--no-kafka"]
    words += ["--speedup", f"{speedup:g}", "--duration", f"{round(minutes * speedup)}m"]
    return subprocess.Popen(
        [sys.executable, "-m", "stream.cli", *words],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _watch(
    stack: LocalStack,
    engine: Engine,
    database_url: str,
    load: subprocess.Popen[str],
    began: float,
    every_s: float,
    minutes: float,
) -> list[Sample]:
    """Look until the load has ended and nothing waits any more."""
    samples: list[Sample] = []
    ended_at: float | None = None
    while True:
        sample = Sample(round(time.monotonic() - began, 1))
        for member in engine.members:
            if member.pid is not None:
                sample.of_process(member.name, member.pid)
        for server in stack.status().servers:
            if server.pid is not None:
                sample.of_process(server.name, server.pid)
        for process in engine.processes():
            sample.lag_records += float((process.health() or {}).get("lag_records", 0))
        sample.of_database(database_url)
        samples.append(sample)
        if len(samples) % 12 == 1:
            click.echo(
                f"{sample.at_s / 60:.1f} of {minutes:.0f} min: {sample.rows:,.0f} readings stored, "
                f"{sample.lag_records:.0f} records wait, "
                f"worker {sample.rss_mb.get('worker-1', 0):.0f} MB"
            )
        if load.poll() is not None:
            ended_at = ended_at or time.monotonic()
            at_rest = len(samples) > 2 and samples[-2].rows == sample.rows and not sample.lag_records
            if at_rest or time.monotonic() - ended_at > 300:
                return samples
        time.sleep(every_s)


def _summary(samples: list[Sample], sent: dict[str, Any], minutes: float, rate: int) -> dict[str, Any]:
    warm_s, end_s = minutes * 60 * _WARM, minutes * 60
    during = [sample for sample in samples if sample.at_s <= end_s]
    slopes = {what: {name: slope(*line, warm_s) for name, line in series(during, what).items()} for what, _ in _PANELS}
    highest = {what: {name: max(line[1]) for name, line in series(samples, what).items()} for what, _ in _PANELS}
    return {
        "minutes": minutes,
        "offered_per_s": rate,
        "stored": samples[-1].rows,
        "not_stored": int(sent.get("acked", 0) - samples[-1].rows),
        "slope_per_hour": slopes,
        "highest": highest,
        "cpu_s": samples[-1].cpu_s,
    }


def _tell(found: dict[str, Any]) -> None:
    click.echo(
        f"\n{found['stored']:,.0f} readings stored, {found['not_stored']} missing, failures: {found['failures']}"
    )
    click.echo(f"{'':24}{'highest':>14}{'per hour':>14}")
    for what, unit in _PANELS:
        for name, value in found["highest"][what].items():
            growth = found["slope_per_hour"][what].get(name)
            told = "-" if growth is None else f"{growth:+,.1f}"
            click.echo(f"{name if name != what else '':12}{unit.partition(' [')[0][:24]:24}{value:>12,.0f}{told:>14}")


if __name__ == "__main__":
    main()
