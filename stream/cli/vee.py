"""`meterstream vee`: rules, and files of meter data in other people's formats."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from schemas.errors import MeterstreamError
from schemas.readings import ReadingBatch
from simulators.replay.formats import FORMATS, find_format
from simulators.replay.recording import Findings, Options
from simulators.replay.zones import parse_zone
from sinks.csv_file import csv_lines
from sinks.nem12_file import nem12_lines
from stream import settings
from stream.cli.errors import plain_errors
from stream.cli.vee_work import accept, edit, estimate, reject, report_command, rerun_command
from stream.vee.rule_book import DEFAULT, load_rules

#: Problems shown in the terminal; all are counted.
_SHOWN = 20
_PARTICIPANT = "METERSTREAM"


@click.group()
def vee() -> None:
    """Validation, estimation and editing of readings.

    Example: meterstream vee rules
    """


@vee.command()
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="A rule set to look at.")
@click.option("--source", is_flag=True, help="Print the rule set that comes with the engine, to begin one of your own.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def rules(path: Path | None, source: bool, as_json: bool) -> None:
    """Show the rule set in force, or check one; what is wrong with it is named with its place.

    Example: meterstream vee rules --source > rules.toml

    Example: meterstream vee rules --file rules.toml
    """
    if source:
        click.echo(DEFAULT.read_text(), nl=False)
        return
    found = load_rules(path or settings.load().worker.rules_file)
    if as_json:
        rows = [
            {"rule": item.rule.id, "bit": item.rule.bit, "reason": item.rule.reason, "version": item.rule.version}
            for item in found.rules
        ]
        click.echo(json.dumps({"version": found.version, "name": found.name, "rules": rows}))
        return
    click.echo(f"rule set {found.name or '(no name)'}, version {found.version}, {len(found.rules)} rules")
    for item in found.rules:
        click.echo(f"  {item.rule.reason}  {item.rule.id:24} {item.rule.about}")


@vee.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--format", "format_name", required=True, metavar="NAME", help=f"Of FILE: {', '.join(FORMATS)}.")
@click.option("--to", type=click.Choice(["nem12", "csv"]), required=True, help="Format of OUT.")
@click.option("--meter", help="Meter number, where the file does not name its meters.")
@click.option("--zone", help="Time zone of the file's clock: Europe/Paris, UTC, +10:00.")
@click.option(
    "--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="mapped_csv: its mapping."
)
@click.option("--keep-going", is_flag=True, help="Write what can be read even if some lines cannot.")
@plain_errors
def convert(
    file: Path,
    out: Path,
    format_name: str,
    to: str,
    meter: str | None,
    zone: str | None,
    mapping: Path | None,
    keep_going: bool,
) -> None:
    """Read FILE and write its readings to OUT, as NEM12 with quality, method and reason, or as CSV.

    A line that cannot be read is named with its number and cause; nothing is written then, unless --keep-going asks for
    the good part. The exit code is 0 only if every line could be read.

    Example: meterstream vee convert meters.xml meters.csv --format green_button --to csv
    """
    findings = Findings()
    options = Options(meter, parse_zone(zone) if zone else None, mapping=mapping)
    try:
        batch = ReadingBatch.concat(list(find_format(format_name).read(file, options, findings)))
    except MeterstreamError as error:
        raise click.ClickException(str(error)) from error
    for problem in findings.problems[:_SHOWN]:
        click.echo(f"{file.name}, line {problem.line}: {problem.detail}", err=True)
    for note in findings.notes[:_SHOWN]:
        click.echo(f"{file.name}: {note}", err=True)
    if findings.count and not keep_going:
        raise click.ClickException(f"{findings.count} problems; nothing was written (--keep-going takes the good part)")
    made_at = datetime.now(UTC)
    lines = csv_lines(batch) if to == "csv" else nem12_lines(batch, made_at, _PARTICIPANT, _PARTICIPANT)
    out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    click.echo(f"{len(batch):,} readings written to {out.name}")
    sys.exit(1 if findings.count else 0)


for command in (accept, reject, edit, estimate, rerun_command, report_command):
    vee.add_command(command)
