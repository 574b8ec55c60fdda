"""`meterstream replay`: publish a recorded file through MQTT."""

import json
import sys
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from schemas.errors import MeterstreamError, MissingColumns
from simulators.messages import MOST_PER_MESSAGE, PER_MESSAGE, Mode
from simulators.mqtt import Address, MqttTransport
from simulators.pacing import UNPACED, Pace
from simulators.publisher import Publisher, PublishReport
from simulators.replay.formats import FORMATS
from simulators.replay.recorded import Order, Recorded, open_recorded
from simulators.replay.recording import Findings, Options
from simulators.replay.zones import parse_zone
from stream import settings
from stream.bridge.url import read_url, tls_context
from stream.cli.progress import progress, stop_on_interrupt
from stream.cli.quantities import Speedup
from stream.endpoints import resolve

#: Problems shown in the terminal; all are counted, and --json has more of them.
_SHOWN = 20
_IN_JSON = 100
_INTERRUPTED = 130


_FORMATS_HELP = "\n".join(f"{form.name:14} {form.summary}" for form in FORMATS.values())


@click.command(
    help=f"""Publish the readings of FILE through MQTT, as fast as they are acknowledged or at a chosen speed.

    The exit code is 0 only if every line could be read and every reading was acknowledged by the broker.

    \b
    Formats:
    {_FORMATS_HELP.replace(chr(10), chr(10) + "    ")}

    Example: meterstream replay household.csv.gz --format uci_household --speedup 3600
    """
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_name", required=True, metavar="NAME", help="Format of the file, see above.")
@click.option(
    "--speedup",
    type=Speedup(),
    metavar="X|max",
    default="max",
    show_default=True,
    help="Seconds of the recording per second.",
)
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    default=Mode.SINGLE.value,
    show_default=True,
    help="A message per reading, or arrays.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, MOST_PER_MESSAGE),
    default=PER_MESSAGE,
    show_default=True,
    help="Readings per message in concentrator mode.",
)
@click.option("--concentrator", default="replay", show_default=True, help="Name of the concentrator in its topic.")
@click.option("--meter", help="Meter number, where the file does not name its meters.")
@click.option("--zone", help="Time zone of the file's clock: Europe/Paris, UTC, +10:00.")
@click.option(
    "--order",
    type=click.Choice([order.value for order in Order]),
    default=Order.TIME.value,
    show_default=True,
    help="As it happened, or as it stands in the file (then a file of any size is streamed).",
)
@click.option("--shuffle", type=int, metavar="SEED", help="Send in a random order.")
@click.option("--limit", type=click.IntRange(1), help="Send only the first readings of the file.")
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="mapped_csv: file that says what the columns are (TOML).",
)
@click.option("--ignore-unknown", is_flag=True, help="plain_csv: leave out columns that are not known.")
@click.option("--keep-going", is_flag=True, help="Exit with 0 even if some lines could not be read.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def replay(file: Path, format_name: str, as_json: bool, **choices: Any) -> None:
    """Publish a file and say what came of it."""
    if choices["shuffle"] is not None and choices["speedup"] != UNPACED:
        raise click.UsageError("--shuffle has no schedule: use it with --speedup max")
    try:
        recorded = _open(file, format_name, choices)
        report = _publish(recorded, choices)
    except MissingColumns as error:
        raise click.ClickException(f"{file.name} as {format_name}: {error}") from error
    except MeterstreamError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_as_json(file, format_name, report, recorded.findings)))
    else:
        _print(report, recorded.findings)
    complete = report.acked == report.readings and (choices["keep_going"] or not recorded.findings.count)
    sys.exit(_INTERRUPTED if report.stopped else 0 if complete else 1)


def _open(file: Path, format_name: str, choices: dict[str, Any]) -> Recorded:
    zone = parse_zone(choices["zone"]) if choices["zone"] else None
    return open_recorded(
        file,
        format_name,
        Options(choices["meter"], zone, choices["ignore_unknown"], choices["mapping"]),
        order=Order(choices["order"]),
        shuffle_seed=choices["shuffle"],
        limit=choices["limit"],
    )


def _publish(recorded: Recorded, choices: dict[str, Any]) -> PublishReport:
    with progress(recorded.total, "readings") as (watch, tell), stop_on_interrupt(tell) as stop:
        transport = MqttTransport(_address(), f"meterstream-replay-{uuid.uuid4().hex[:12]}", stop=stop, tell=tell)
        publisher = Publisher(
            transport,
            mode=Mode(choices["mode"]),
            concentrator=choices["concentrator"],
            per_message=choices["batch"],
            pace=Pace(choices["speedup"]),
            stop=stop,
            watch=watch,
        )
        try:
            return publisher.run(recorded.batches)
        finally:
            transport.close()


def _address() -> Address:
    chosen = settings.load()
    url = read_url(resolve(chosen, ["mqtt_url"]).mqtt_url, chosen.mqtt)
    return Address(url.host, url.port, url.username, url.password, tls_context(url, chosen.mqtt))


def _as_json(file: Path, format_name: str, report: PublishReport, findings: Findings) -> dict[str, Any]:
    return {
        "file": file.name,
        "format": format_name,
        **asdict(report),
        "problems": findings.count,
        "problem_lines": [problem._asdict() for problem in findings.problems[:_IN_JSON]],
        "notes": findings.notes,
    }


def _print(report: PublishReport, findings: Findings) -> None:
    for problem in findings.problems[:_SHOWN]:
        click.echo(f"line {problem.line}: {problem.detail}", err=True)
    if findings.count > _SHOWN:
        click.echo(f"... and {findings.count - _SHOWN} more problems", err=True)
    for note in findings.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(
        f"{report.readings:,} readings in {report.messages:,} messages, {report.acked:,} acknowledged, "
        f"{report.refused:,} refused, {findings.count:,} problems"
    )
    click.echo(f"{report.seconds:.1f} s, {report.achieved_per_s:,.0f} readings/s ({report.offered_per_s:,.0f} offered)")
    if report.slip_p50_ms is not None:
        click.echo(f"behind schedule: median {report.slip_p50_ms:.1f} ms, 99 % {report.slip_p99_ms:.1f} ms")
