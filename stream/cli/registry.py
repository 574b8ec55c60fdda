"""`meterstream registry`: the registry of meters as a CSV file."""

import asyncio
import json
import sys
from pathlib import Path

import click

from schemas.registry_csv import RegistryFile, read, write
from schemas.topics import METERS_REGISTRY
from stream import settings
from stream.cli.errors import plain_errors
from stream.database import connected
from stream.endpoints import resolve
from stream.registry import publish, stored_entries
from stream.topics import ensure_topics

#: Problems shown in the terminal; all are counted.
_SHOWN = 20


@click.group()
def registry() -> None:
    """Which meters there are, what feeds them, and since when.

    Example: meterstream registry export
    """


@registry.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what is wrong with FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def import_(file: Path, dry_run: bool, as_json: bool) -> None:
    """Publish the meters of FILE to meters.registry, from where every worker takes them over.

    Columns are those of a registry entry (NOMENCLATURE.md); meter_number is the only one that must be there. A meter
    may have several lines, each with a valid_from of its own. Every line that is wrong is named with its number and
    cause; so are an element under two others and a meter that comes twice. Nothing is published then, and the exit
    code is 1.

    Example: meterstream registry import meters.csv --dry-run
    """
    with file.open(newline="", encoding="utf-8", errors="backslashreplace") as lines:
        found = read(lines)
    if not found.problems and not dry_run:
        chosen = settings.load()
        url = resolve(chosen, needs=("kafka_url",)).kafka_url
        ensure_topics(url, chosen.partitions, chosen.replication, [METERS_REGISTRY])
        with click.progressbar(length=len(found.entries), label="published", file=sys.stderr) as bar:
            asyncio.run(publish(url, found.entries, bar.update))
    _report(file, found, dry_run, as_json)
    sys.exit(1 if found.problems else 0)


def _report(file: Path, found: RegistryFile, dry_run: bool, as_json: bool) -> None:
    published = 0 if dry_run or found.problems else len(found.entries)
    if as_json:
        problems = [{"line": problem.line, "detail": problem.detail} for problem in found.problems]
        said = {"entries": len(found.entries), "published": published, "without_transformer": found.unplaced}
        click.echo(json.dumps(said | {"problems": problems}))
        return
    for problem in found.problems[:_SHOWN]:
        click.echo(f"{file.name}, line {problem.line}: {problem.detail}", err=True)
    if len(found.problems) > _SHOWN:
        click.echo(f"and {len(found.problems) - _SHOWN} more", err=True)
    if found.unplaced:
        click.echo(f"{found.unplaced:,} meters have no transformer: they are summed under transformer/unassigned")
    click.echo(f"{len(found.entries):,} entries read, {published:,} published, {len(found.problems):,} problems")


@registry.command()
@click.argument("out", type=click.Path(dir_okay=False, writable=True, path_type=Path), required=False)
@click.option("--history", is_flag=True, help="Every place of every meter, not only the newest.")
@plain_errors
def export(out: Path | None, history: bool) -> None:
    """Write the meters that the database knows to OUT, by default to the terminal, as `import` reads them.

    Example: meterstream registry export meters.csv --history
    """
    url = resolve(settings.load(), needs=("database_url",)).database_url
    with connected(url) as connection:
        entries = stored_entries(connection, history=history)
    text = "".join(write(entries))
    if out is None:
        click.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    click.echo(f"{len(entries):,} entries written to {out.name}")
